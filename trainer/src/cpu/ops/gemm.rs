//! Matrix products: the only file of this crate with `unsafe`, a safe face on the `gemm` crate.
//!
//! Contract: `gemm::gemm` reads and writes every element of its three matrices through raw pointers
//! and checks nothing. [`Matrix`] and [`MatrixMut`] can only be built over a slice that holds every
//! element their sizes and strides reach (checked in release builds too), the destination's elements
//! are distinct (row-major, rows at least a row apart), and Rust's borrows keep the destination apart
//! from the sources. Inner sizes are compared before the call.
#![allow(unsafe_code)]

use gemm::Parallelism;

/// A read-only matrix over a slice, with any strides.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// A row-major matrix to write to.
pub struct MatrixMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

/// What happens to the destination's old values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// They are overwritten.
    Replace,
    /// The product is added to them.
    Add,
}

/// How many threads share one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone.
    One,
    /// Those of rayon's pool.
    All,
}

fn check(len: usize, rows: usize, columns: usize, row_stride: usize) {
    assert!(rows > 0 && columns > 0, "an empty matrix: {rows}x{columns}");
    assert!(
        columns <= row_stride || rows == 1,
        "rows of {columns} overlap at stride {row_stride}"
    );
    let last = (rows - 1).checked_mul(row_stride);
    let end = last.and_then(|last| last.checked_add(columns));
    assert!(
        end.is_some_and(|end| end <= len) && isize::try_from(row_stride).is_ok(),
        "{rows}x{columns} at stride {row_stride} passes the end of {len} values"
    );
}

impl<'a> Matrix<'a> {
    /// A row-major matrix whose rows start `row_stride` values apart.
    ///
    /// # Panics
    /// If the slice is too short, or a size is 0.
    #[must_use]
    pub fn new(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        check(values.len(), rows, columns, row_stride);
        Self {
            values,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// The same values with rows and columns exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

impl<'a> MatrixMut<'a> {
    /// A row-major matrix whose rows start `row_stride` values apart.
    ///
    /// # Panics
    /// If the slice is too short, rows overlap, or a size is 0.
    #[must_use]
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        check(values.len(), rows, columns, row_stride);
        Self {
            values,
            rows,
            columns,
            row_stride,
        }
    }
}

/// `destination = a b`, or `destination += a b`.
///
/// # Panics
/// If the sizes do not agree.
pub fn multiply(
    destination: MatrixMut<'_>,
    write: Write,
    a: Matrix<'_>,
    b: Matrix<'_>,
    threads: Threads,
) {
    assert_eq!(a.columns, b.rows, "the inner sizes differ");
    assert_eq!(
        (destination.rows, destination.columns),
        (a.rows, b.columns),
        "the destination's size differs from the product's"
    );
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::All => Parallelism::Rayon(0),
    };
    // SAFETY: `check` ran for each matrix when it was built: every index
    // `row * row_stride + column * column_stride` is inside its slice and every stride fits an isize.
    // The destination's elements are distinct, as its rows are at least `columns` apart, and its
    // exclusive borrow keeps it apart from `a` and `b`. All values are initialised.
    unsafe {
        gemm::gemm(
            destination.rows,
            destination.columns,
            a.columns,
            destination.values.as_mut_ptr(),
            1,
            destination.row_stride as isize,
            write == Write::Add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len)
            .map(|i| ((i * 37 + seed * 11) % 29) as f32 - 14.0)
            .collect()
    }

    /// Small integers, so that every order of summation gives the same sums.
    #[test]
    fn matches_the_definition_with_strides_and_transposes() {
        let (rows, columns, inner) = (5, 7, 9);
        for threads in [Threads::One, Threads::All] {
            for write in [Write::Replace, Write::Add] {
                let a = numbers(inner * rows + 40, 1);
                let b = numbers(inner * 10, 2);
                let before = numbers(rows * 12, 3);
                let mut c = before.clone();
                let a_view = Matrix::new(&a, inner, rows, rows + 3).transposed();
                let b_view = Matrix::new(&b, inner, columns, 10);
                multiply(
                    MatrixMut::new(&mut c, rows, columns, 12),
                    write,
                    a_view,
                    b_view,
                    threads,
                );
                for (i, &value) in c.iter().enumerate() {
                    let (row, column) = (i / 12, i % 12);
                    let mut expected = before[i];
                    if column < columns {
                        let sum: f32 = (0..inner)
                            .map(|k| a[k * (rows + 3) + row] * b[k * 10 + column])
                            .sum();
                        expected = if write == Write::Add {
                            expected + sum
                        } else {
                            sum
                        };
                    }
                    assert_eq!(value, expected, "row {row}, column {column}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "passes the end")]
    fn a_short_slice_is_refused() {
        let _ = Matrix::new(&[0.0; 11], 3, 4, 4);
    }

    #[test]
    #[should_panic(expected = "overlap")]
    fn overlapping_rows_are_refused() {
        let _ = MatrixMut::new(&mut [0.0; 100], 3, 4, 3);
    }

    #[test]
    #[should_panic(expected = "passes the end")]
    fn sizes_that_overflow_are_refused() {
        let _ = Matrix::new(&[0.0; 4], usize::MAX, 1, usize::MAX);
    }

    #[test]
    #[should_panic(expected = "inner sizes")]
    fn inner_sizes_must_agree() {
        let (a, mut c) = ([0.0; 6], [0.0; 4]);
        let (left, right) = (Matrix::new(&a, 2, 3, 3), Matrix::new(&a, 2, 2, 2));
        multiply(
            MatrixMut::new(&mut c, 2, 2, 2),
            Write::Replace,
            left,
            right,
            Threads::One,
        );
    }
}
