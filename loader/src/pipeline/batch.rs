//! A batch of samples.

use std::ops::Range;

use bytemuck::Pod;
use half::{bf16, f16};

use super::buffers::Buffers;
use super::pool::Recycler;
use crate::augment::Area;
use crate::data::Mix;
use crate::data::Replaced;
use crate::settings::{Layout, Output};

/// Samples ready for a device. A batch owns its memory and can be sent to any thread; when it is
/// dropped, a later batch uses its buffers.
///
/// Nothing else reads the memory of a batch while it exists, so it may be written to. That changes
/// neither the dataset nor any other batch, since the next batch in that memory writes every value.
pub struct Batch {
    pub(crate) buffers: Buffers,
    pub(crate) recycler: Recycler,
    pub(crate) mix: Mix,
    pub(crate) step: u64,
    pub(crate) places: Range<u64>,
    pub(crate) samples_after: u64,
    pub(crate) valid: usize,
    pub(crate) rows: usize,
    pub(crate) crop: usize,
    pub(crate) layout: Layout,
    pub(crate) output: Output,
}

impl Batch {
    /// Number of samples.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.buffers.labels.len()
    }

    /// Whether the batch holds no sample.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.buffers.labels.is_empty()
    }

    /// Number of samples that are not padding; they come first.
    #[must_use]
    pub const fn valid(&self) -> usize {
        self.valid
    }

    /// Number of rows: samples times [`Loader::rows_per_sample`](crate::Loader::rows_per_sample). The
    /// rows of a sample follow each other.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of the batch, counted from where its [`Epoch`](crate::Epoch) began.
    #[must_use]
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// Places of this rank's samples in the epoch's order. Padding has places after the epoch's last
    /// sample.
    #[must_use]
    pub const fn places(&self) -> Range<u64> {
        self.places.start..self.places.end
    }

    /// Samples of the epoch, over all ranks, up to the end of this step: the number to keep for
    /// [`Loader::epoch_from`](crate::Loader::epoch_from). It is the same on every rank, and does not
    /// count padding.
    #[must_use]
    pub const fn samples_after(&self) -> u64 {
        self.samples_after
    }

    /// The four axes: `[rows, height, width, 3]` or `[rows, 3, height, width]`.
    #[must_use]
    pub const fn shape(&self) -> [usize; 4] {
        match self.layout {
            Layout::Nhwc => [self.rows, self.crop, self.crop, 3],
            Layout::Nchw => [self.rows, 3, self.crop, self.crop],
        }
    }

    /// The normalised values of a loader with [`Output::F32`].
    ///
    /// # Panics
    /// If the loader gives values of another type.
    #[must_use]
    pub fn images_f32(&self) -> &[f32] {
        self.images(Output::F32)
    }

    /// The normalised values of a loader with [`Output::F16`].
    ///
    /// # Panics
    /// If the loader gives values of another type.
    #[must_use]
    pub fn images_f16(&self) -> &[f16] {
        self.images(Output::F16)
    }

    /// The normalised values of a loader with [`Output::Bf16`].
    ///
    /// # Panics
    /// If the loader gives values of another type.
    #[must_use]
    pub fn images_bf16(&self) -> &[bf16] {
        self.images(Output::Bf16)
    }

    /// The bytes of a loader with [`Output::U8`]. The normalised value of a byte of channel `c` in row
    /// `r` is `(value - mean[c]) / std[c] + color_shift()[r][c]`.
    ///
    /// # Panics
    /// If the loader gives values of another type.
    #[must_use]
    pub fn images_u8(&self) -> &[u8] {
        self.images(Output::U8)
    }

    /// The values of any type as they lie in memory: native byte order, [`Output::bytes`] each.
    #[must_use]
    pub fn image_bytes(&self) -> &[u8] {
        self.buffers.pixels.values()
    }

    /// [`images_f32`](Self::images_f32) to write to.
    ///
    /// # Panics
    /// If the loader gives values of another type.
    #[must_use]
    pub fn images_f32_mut(&mut self) -> &mut [f32] {
        self.images_mut(Output::F32)
    }

    /// [`images_f16`](Self::images_f16) to write to.
    ///
    /// # Panics
    /// If the loader gives values of another type.
    #[must_use]
    pub fn images_f16_mut(&mut self) -> &mut [f16] {
        self.images_mut(Output::F16)
    }

    /// [`images_bf16`](Self::images_bf16) to write to.
    ///
    /// # Panics
    /// If the loader gives values of another type.
    #[must_use]
    pub fn images_bf16_mut(&mut self) -> &mut [bf16] {
        self.images_mut(Output::Bf16)
    }

    /// [`images_u8`](Self::images_u8) to write to.
    ///
    /// # Panics
    /// If the loader gives values of another type.
    #[must_use]
    pub fn images_u8_mut(&mut self) -> &mut [u8] {
        self.images_mut(Output::U8)
    }

    /// [`image_bytes`](Self::image_bytes) to write to. They begin on a page boundary and stay at the
    /// same address until the batch is dropped, even if it is moved.
    #[must_use]
    pub fn image_bytes_mut(&mut self) -> &mut [u8] {
        self.buffers.pixels.values_mut()
    }

    fn images<T: Pod>(&self, output: Output) -> &[T] {
        self.assert_output(output, "");
        self.buffers.pixels.values()
    }

    fn images_mut<T: Pod>(&mut self, output: Output) -> &mut [T] {
        self.assert_output(output, "_mut");
        self.buffers.pixels.values_mut()
    }

    fn assert_output(&self, asked: Output, suffix: &str) {
        let given = self.output;
        assert!(
            asked == given,
            "this loader gives {given:?}: use {}{suffix}",
            given.accessor()
        );
    }

    /// Colour noise of each row, already divided by the standard deviation, of a loader with
    /// [`Output::U8`]. Empty for floats, whose values include it.
    #[must_use]
    pub fn color_shift(&self) -> &[[f32; 3]] {
        &self.buffers.shifts
    }

    /// [`color_shift`](Self::color_shift) to write to; it stays at the same address, as the values do.
    #[must_use]
    pub fn color_shift_mut(&mut self) -> &mut [[f32; 3]] {
        &mut self.buffers.shifts
    }

    /// The part of its record that each row shows.
    #[must_use]
    pub fn areas(&self) -> &[Area] {
        &self.buffers.areas
    }

    /// The label of each sample; -1 in a split without labels.
    #[must_use]
    pub fn labels(&self) -> &[i64] {
        &self.buffers.labels
    }

    /// [`labels`](Self::labels) to write to; they stay at the same address, as the values do.
    #[must_use]
    pub fn labels_mut(&mut self) -> &mut [i64] {
        &mut self.buffers.labels
    }

    /// The index in the dataset of each sample; of a mix, see [`Mix::locate`].
    #[must_use]
    pub fn indices(&self) -> &[u64] {
        &self.buffers.samples
    }

    /// The key of sample `i` of the batch: the name of its source.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    #[must_use]
    pub fn key(&self, i: usize) -> &str {
        self.mix.key(self.buffers.samples[i])
    }

    /// The samples that replaced damaged ones; empty unless the loader was built with
    /// [`BadRecord::Replace`](crate::BadRecord::Replace).
    #[must_use]
    pub fn replaced(&self) -> &[Replaced] {
        &self.buffers.replaced
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.recycler.recycle(std::mem::take(&mut self.buffers));
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("step", &self.step)
            .field("shape", &self.shape())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
