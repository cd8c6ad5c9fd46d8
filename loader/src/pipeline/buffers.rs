//! The memory of a batch.

use std::io;

use shardmill_kernels::Pages;

use crate::augment::Area;
use crate::data::Replaced;
use crate::settings::Output;

/// The memory of a batch, which a later batch uses again.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) pixels: Pages,
    pub(crate) shifts: Vec<[f32; 3]>,
    pub(crate) areas: Vec<Area>,
    pub(crate) labels: Vec<i64>,
    pub(crate) samples: Vec<u64>,
    pub(crate) replaced: Vec<Replaced>,
}

impl Buffers {
    /// Sets the lengths for `samples` samples and `rows` rows of `values` values each. It allocates only
    /// the first time.
    pub(crate) fn resize(
        &mut self,
        samples: usize,
        rows: usize,
        values: usize,
        output: Output,
    ) -> io::Result<()> {
        self.pixels.resize(rows * values * output.bytes())?;
        if output == Output::U8 {
            self.shifts.resize(rows, [0.0; 3]);
        }
        self.areas.resize(rows, Area::default());
        self.labels.resize(samples, 0);
        self.samples.resize(samples, 0);
        self.replaced.clear();
        Ok(())
    }

    /// Bytes after such a [`resize`](Self::resize).
    pub(crate) const fn bytes(samples: usize, rows: usize, values: usize, output: Output) -> usize {
        let shift = if matches!(output, Output::U8) { 12 } else { 0 };
        let row = values * output.bytes() + shift + size_of::<Area>();
        rows.saturating_mul(row)
            .saturating_add(samples.saturating_mul(16))
    }
}
