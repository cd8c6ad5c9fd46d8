//! Writes what the views of a sample show into the rows of a batch: as the record is decoded, or from a
//! decoded part of it.

use shardmill_formats::{CodecError, Decoder, RecordShape, Rows, Window};
use shardmill_kernels::{Floats, Image, Kernel, Rectangle, Resized, Slot, Strip, Values};

use super::buffers::Buffers;
use super::plan::{Plan, RowMemory};
use crate::augment::View;
use crate::settings::Output;

/// The place in a batch where a view of a record goes, whose rows are written as they come.
pub(super) enum Row<'a> {
    /// A view of the batch's size, and its rows so far.
    Same(Slot<'a>, usize),
    Resized(Resized<'a>),
}

impl<'a> Row<'a> {
    /// Row `row` of a batch.
    pub(super) fn begin(
        plan: &Plan,
        view: &View,
        row: usize,
        buffers: &'a mut Buffers,
        memory: &'a mut RowMemory,
    ) -> Self {
        let crop = plan.augmentation.policy.crop() as usize;
        let (height, width) = (view.area.height, view.area.width);
        let slot = slot(plan, view, row, buffers, &mut memory.kernel);
        if (height, width) == (crop, crop) {
            Self::Same(slot, 0)
        } else {
            Self::Resized(memory.resize.begin(height, width, slot))
        }
    }

    /// Takes the next rows of the view's area.
    pub(super) fn write(&mut self, strip: Strip<'_>) {
        match self {
            Self::Same(slot, written) => {
                slot.write(*written, strip);
                *written += strip.rows;
            }
            Self::Resized(resized) => resized.rows(strip),
        }
    }
}

/// Where row `row` of a batch is written.
fn slot<'a>(
    plan: &Plan,
    view: &View,
    row: usize,
    buffers: &'a mut Buffers,
    kernel: &'a mut Kernel,
) -> Slot<'a> {
    let crop = plan.augmentation.policy.crop() as usize;
    buffers.areas[row] = view.area();
    let values = crop * crop * 3;
    let place = row * values..(row + 1) * values;
    let shift = plan.normalization.shift(view.shift);
    let affine = plan.normalization.affine(shift);
    let pixels = &mut buffers.pixels;
    let values = match plan.output {
        Output::F32 => Values::Floats(affine, Floats::F32(&mut pixels.values_mut()[place])),
        Output::F16 => Values::Floats(affine, Floats::F16(&mut pixels.values_mut()[place])),
        Output::Bf16 => Values::Floats(affine, Floats::Bf16(&mut pixels.values_mut()[place])),
        Output::U8 => {
            buffers.shifts[row] = shift.map(|s| s as f32);
            Values::Bytes(&mut pixels.values_mut()[place])
        }
    };
    kernel.slot(crop, view.flip, plan.layout, values)
}

/// The rows that a decoder hands over, as the kernels take them.
pub(super) const fn strip(rows: Rows<'_>) -> Strip<'_> {
    Strip {
        rgb: rows.rgb,
        stride: rows.stride,
        rows: rows.count,
    }
}

/// The smallest window that holds what all of the views show; there is at least one.
pub(super) fn hull(views: &[View]) -> Window {
    let first = |side: fn(&Window) -> usize| {
        let starts = views.iter().map(|view| side(&view.window()));
        starts.min().expect("a view")
    };
    let end = |side: fn(&Window) -> usize| {
        let ends = views.iter().map(|view| side(&view.window()));
        ends.max().expect("a view")
    };
    let (top, left) = (first(|w| w.top), first(|w| w.left));
    Window {
        top,
        left,
        height: end(|w| w.top + w.height) - top,
        width: end(|w| w.left + w.width) - left,
    }
}

/// A decoded part of a record.
pub(super) struct Shown<'a> {
    image: Image<'a>,
    /// Place of its first pixel in the record.
    top: usize,
    left: usize,
}

impl<'a> Shown<'a> {
    /// All of a record.
    pub(super) const fn whole(rgb: &'a [u8], shape: RecordShape) -> Self {
        let width = shape.width as usize;
        Self {
            image: Image { rgb, width },
            top: 0,
            left: 0,
        }
    }

    /// Decodes a window of a record into `memory`, which has room for the whole.
    pub(super) fn decode(
        decoder: &mut Decoder,
        stored: &[u8],
        window: Window,
        memory: &'a mut [u8],
    ) -> Result<Self, CodecError> {
        let Window { width, .. } = window;
        decoder.window(stored, window, &mut |rows| {
            let out = memory[rows.top * width * 3..].chunks_exact_mut(width * 3);
            for (out, row) in out.zip(rows.iter(width)) {
                out.copy_from_slice(row);
            }
        })?;
        let rgb = &memory[..window.height * width * 3];
        Ok(Self {
            image: Image { rgb, width },
            top: window.top,
            left: window.left,
        })
    }

    /// Writes views of the record into the batch's rows from `first` on.
    pub(super) fn fill_rows(
        &self,
        plan: &Plan,
        views: &[View],
        first: usize,
        buffers: &mut Buffers,
        memory: &mut RowMemory,
    ) {
        let crop = plan.augmentation.policy.crop() as usize;
        for (row, view) in (first..).zip(views) {
            let area = Rectangle {
                top: view.area.top - self.top,
                left: view.area.left - self.left,
                ..view.area
            };
            let Some(tint) = &view.tint else {
                let mut row = Row::begin(plan, view, row, buffers, memory);
                row.write(self.image.strip(area));
                continue;
            };
            let RowMemory { canvas, kernel, .. } = &mut *memory;
            let mut slot = slot(plan, view, row, buffers, kernel);
            let tinted = Strip {
                rgb: canvas.draw(self.image, area, Some(tint), crop),
                stride: crop * 3,
                rows: crop,
            };
            slot.write(0, tinted);
        }
    }
}
