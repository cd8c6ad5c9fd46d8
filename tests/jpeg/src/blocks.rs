//! The quantised coefficients of one component.

use crate::dct::forward;
use crate::plane::Plane;

/// A grid of blocks of quantised coefficients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Blocks in a row.
    pub across: usize,
    /// Rows of blocks.
    pub down: usize,
    /// The blocks, row by row; in each the coefficients row by row, not in zigzag order.
    pub blocks: Vec<[i16; 64]>,
}

impl Blocks {
    /// Blocks of zeros.
    #[must_use]
    pub fn zeros((across, down): (usize, usize)) -> Self {
        Self {
            across,
            down,
            blocks: vec![[0; 64]; across * down],
        }
    }

    /// Transforms and quantises a plane of samples; its last column and row are repeated as far as the
    /// blocks reach. `table` is in the order of the coefficients, row by row.
    #[must_use]
    pub fn of_plane(plane: &Plane, size: (usize, usize), table: &[u16; 64]) -> Self {
        let mut grid = Self::zeros(size);
        for row in 0..grid.down {
            for column in 0..grid.across {
                let samples = std::array::from_fn(|at| {
                    let sample = plane.at(8 * column + at % 8, 8 * row + at / 8);
                    f64::from(sample) - 128.0
                });
                let coefficients = forward(&samples);
                grid.blocks[row * grid.across + column] = std::array::from_fn(|at| {
                    let quantised = (coefficients[at] / f64::from(table[at])).round();
                    // The largest AC coefficient of a baseline block has ten bits.
                    quantised.clamp(-1023.0, 1023.0) as i16
                });
            }
        }
        grid
    }

    /// The block at a column and a row.
    pub(crate) fn at(&self, column: usize, row: usize) -> &[i16; 64] {
        &self.blocks[row * self.across + column]
    }
}
