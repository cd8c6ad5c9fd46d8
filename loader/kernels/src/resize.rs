//! Resizes a window by rows, as they come from a record or from a decoder, into its place in a batch:
//! antialiased bilinear over the window alone, as if it had been cut out first.
//!
//! Each row is resized horizontally once, reflected if the window is, and rounded to bytes, as Pillow and
//! torchvision do it. As soon as the rows of a filter are there, they are summed to a row of the output.
//! Sums of integers give the same bytes on every processor; `notes.md` has the figures.

#[cfg(target_arch = "x86_64")]
use crate::avx2;
use crate::axis::Axis;
use crate::instructions::Instructions;
use crate::kernel::Slot;
use crate::portable;
use crate::window::Strip;

/// What a worker keeps from one resized window to the next: weights, and the rows between the passes.
pub struct Resize {
    horizontal: Axis,
    vertical: Axis,
    passes: Passes,
    /// A row on its way to outputs that are more than its bytes.
    row: Vec<u8>,
}

enum Passes {
    Portable(portable::Passes),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Passes),
}

impl Default for Resize {
    /// The fastest code for this processor.
    fn default() -> Self {
        Self::with(Instructions::detect())
    }
}

impl Resize {
    /// The code for every processor.
    #[must_use]
    pub fn portable() -> Self {
        Self::with(Instructions::Portable)
    }

    fn with(instructions: Instructions) -> Self {
        let passes = match instructions {
            Instructions::Portable => Passes::Portable(portable::Passes::default()),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => Passes::Avx2(avx2::Passes::default()),
        };
        Self {
            horizontal: Axis::default(),
            vertical: Axis::default(),
            passes,
            row: Vec::new(),
        }
    }

    /// Begins a window of `height` by `width` pixels, which fills the slot.
    ///
    /// # Panics
    /// If the window or the slot has no pixels.
    pub fn begin<'a>(&'a mut self, height: usize, width: usize, slot: Slot<'a>) -> Resized<'a> {
        self.horizontal.set(width, slot.crop, slot.flip);
        self.vertical.set(height, slot.crop, false);
        self.row.resize(slot.crop * 3, 0);
        match &mut self.passes {
            Passes::Portable(passes) => passes.begin(&self.horizontal, &self.vertical),
            #[cfg(target_arch = "x86_64")]
            Passes::Avx2(passes) => passes.begin(&self.horizontal, &self.vertical),
        }
        Resized {
            resize: self,
            slot,
            taken: 0,
            written: 0,
        }
    }
}

/// A window that is being resized; see [`Resize::begin`].
pub struct Resized<'a> {
    resize: &'a mut Resize,
    slot: Slot<'a>,
    /// Rows of the window that were taken.
    taken: usize,
    /// Rows of the output that were written.
    written: usize,
}

impl Resized<'_> {
    /// Takes the next rows of the window, from top to bottom, and writes every row of the output that
    /// needs no others.
    ///
    /// # Panics
    /// If the strip does not hold its rows, or has more than the window still lacks.
    pub fn rows(&mut self, strip: Strip<'_>) {
        let Resize {
            horizontal,
            vertical,
            passes,
            row,
        } = &mut *self.resize;
        let width = horizontal.from;
        strip.check(width);
        assert!(
            self.taken + strip.rows <= vertical.from,
            "{} rows of a window of {}",
            self.taken + strip.rows,
            vertical.from
        );
        for y in 0..strip.rows {
            match passes {
                Passes::Portable(passes) => {
                    passes.take(horizontal, self.taken, strip.row(y, width));
                }
                #[cfg(target_arch = "x86_64")]
                Passes::Avx2(passes) => passes.take(horizontal, self.taken, &strip, y),
            }
            self.taken += 1;
            while let Some(&end) = vertical.ends.get(self.written) {
                if end as usize > self.taken {
                    break;
                }
                let mut write = |out: &mut [u8], stream| match passes {
                    Passes::Portable(passes) => passes.write(vertical, self.written, out),
                    #[cfg(target_arch = "x86_64")]
                    Passes::Avx2(passes) => passes.write(vertical, self.written, stream, out),
                };
                if let Some((out, stream)) = self.slot.plain_row(self.written) {
                    write(out, stream);
                } else {
                    write(row, false);
                    let strip = Strip {
                        rgb: row,
                        stride: row.len(),
                        rows: 1,
                    };
                    self.slot.write_ordered(self.written, strip);
                }
                self.written += 1;
            }
        }
    }
}
