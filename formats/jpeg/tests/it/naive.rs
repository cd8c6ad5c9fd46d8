//! What the planes of a stream must be: the inverse transform by its definition, in f64.

use std::f64::consts::PI;

use shardmill_jpeg_kit::Jpeg;

/// A plane of levels that are not yet rounded.
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    stride: usize,
    levels: Vec<f64>,
}

impl Plane {
    pub(crate) fn at(&self, x: usize, y: usize) -> f64 {
        self.levels[y * self.stride + x]
    }
}

/// The planes of a whole stream.
pub(crate) fn planes(jpeg: &Jpeg) -> Vec<Plane> {
    let tables = jpeg.tables_in_use();
    let grids = jpeg.coefficients();
    let parts = grids.iter().zip(&tables).enumerate();
    let plane = |(component, (grid, table)): (usize, (&shardmill_jpeg_kit::Blocks, &[u16; 64]))| {
        let (width, height) = jpeg.frame.sample_size(component);
        let stride = grid.across * 8;
        let mut levels = vec![0.0; stride * grid.down * 8];
        for (number, block) in grid.blocks.iter().enumerate() {
            let (left, top) = (number % grid.across * 8, number / grid.across * 8);
            for (at, level) in inverse(block, table).into_iter().enumerate() {
                levels[(top + at / 8) * stride + left + at % 8] = level;
            }
        }
        Plane {
            width,
            height,
            stride,
            levels,
        }
    };
    parts.map(plane).collect()
}

/// ITU-T T.81, A.3.3: a block of levels, row by row.
fn inverse(block: &[i16; 64], table: &[u16; 64]) -> [f64; 64] {
    let wave = |u: usize, x: usize| {
        let scale = if u == 0 { 0.5_f64.sqrt() } else { 1.0 };
        scale * ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos() / 2.0
    };
    let waves: [[f64; 8]; 8] = std::array::from_fn(|u| std::array::from_fn(|x| wave(u, x)));
    let value = |v: usize, u: usize| f64::from(block[v * 8 + u]) * f64::from(table[v * 8 + u]);
    let rows: [[f64; 8]; 8] = std::array::from_fn(|v| {
        std::array::from_fn(|x| (0..8).map(|u| value(v, u) * waves[u][x]).sum())
    });
    std::array::from_fn(|at| {
        let (x, y) = (at % 8, at / 8);
        let sum: f64 = (0..8).map(|v| rows[v][x] * waves[v][y]).sum();
        (sum + 128.0).clamp(0.0, 255.0)
    })
}
