//! The forward transform as T.81 defines it.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The forward transform of a block of 8x8 samples from which 128 is already taken, row by row
/// (T.81, A.3.3).
#[must_use]
pub fn forward(samples: &[f64; 64]) -> [f64; 64] {
    let rows = transform_columns(samples);
    let columns = transform_columns(&transposed(&rows));
    transposed(&columns)
}

/// The one-dimensional transform of each column.
fn transform_columns(block: &[f64; 64]) -> [f64; 64] {
    let mut out = [0.0; 64];
    for frequency in 0..8 {
        let scale = if frequency == 0 { FRAC_1_SQRT_2 } else { 1.0 } / 2.0;
        for place in 0..8 {
            let angle = (2 * place + 1) as f64 * frequency as f64 * PI / 16.0;
            let factor = scale * angle.cos();
            for column in 0..8 {
                out[8 * frequency + column] += factor * block[8 * place + column];
            }
        }
    }
    out
}

fn transposed(block: &[f64; 64]) -> [f64; 64] {
    std::array::from_fn(|at| block[8 * (at % 8) + at / 8])
}
