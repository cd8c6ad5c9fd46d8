//! The fused kernel: window, reflection, colour, normalisation, conversion and layout in one pass
//! over the rows of a record, straight into the batch.
//!
//! Contract of the unsafe code here: `avx2` is entered only through [`Kernel`] and its [`Slot`]s, after
//! the processor was asked for its features and the rows and the output were checked against each other;
//! it reads inside the rows and writes inside the output. No instruction set gives other bytes, since a
//! value is multiplied and added with two roundings and never fused, and rounded to nearest, ties to
//! even, where the output is narrower than f32.
#![allow(unsafe_code)]

use half::{bf16, f16};

#[cfg(target_arch = "x86_64")]
use crate::avx2;
use crate::instructions::Instructions;
use crate::portable;
use crate::value::Value;
use crate::window::{Affine, Layout, Part, Strip, Window};

/// Where the normalised values of a window are written: `crop * crop * 3` of them.
#[derive(Debug)]
pub enum Floats<'a> {
    /// Single precision.
    F32(&'a mut [f32]),
    /// IEEE half precision.
    F16(&'a mut [f16]),
    /// bfloat16.
    Bf16(&'a mut [bf16]),
}

impl Floats<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::F32(out) => out.len(),
            Self::F16(out) => out.len(),
            Self::Bf16(out) => out.len(),
        }
    }
}

/// What is written of a window, and where.
#[derive(Debug)]
pub enum Values<'a> {
    /// Its bytes, `crop * crop * 3` of them.
    Bytes(&'a mut [u8]),
    /// Its bytes, normalised.
    Floats(Affine, Floats<'a>),
}

impl Values<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::Bytes(out) => out.len(),
            Self::Floats(_, out) => out.len(),
        }
    }
}

/// The code for this processor, and a scratch row; each worker has one.
pub struct Kernel {
    instructions: Instructions,
    /// Whether outputs may be written around the caches.
    stream: bool,
    row: Vec<u8>,
}

impl Kernel {
    /// The fastest code for this processor. With `stream`, outputs that are aligned to 32 bytes are
    /// written around the caches, which is faster if a batch is larger than they are.
    #[must_use]
    pub fn new(stream: bool) -> Self {
        Self {
            instructions: Instructions::detect(),
            stream,
            row: Vec::new(),
        }
    }

    /// The code for every processor.
    #[must_use]
    pub const fn portable() -> Self {
        Self {
            instructions: Instructions::Portable,
            stream: false,
            row: Vec::new(),
        }
    }

    /// Writes the window's values, normalised.
    ///
    /// # Panics
    /// If the window does not lie in its image or `out` does not hold its values.
    pub fn floats(&mut self, window: Window<'_>, affine: Affine, layout: Layout, out: Floats<'_>) {
        self.whole(window, layout, Values::Floats(affine, out));
    }

    /// Copies the window's bytes; `out` holds `crop * crop * 3` of them.
    ///
    /// # Panics
    /// If the window does not lie in its image or `out` does not hold its values.
    pub fn bytes(&mut self, window: Window<'_>, layout: Layout, out: &mut [u8]) {
        self.whole(window, layout, Values::Bytes(out));
    }

    fn whole(&mut self, window: Window<'_>, layout: Layout, values: Values<'_>) {
        let mut slot = self.slot(window.crop, window.flip, layout, values);
        slot.write(0, window.strip());
    }

    /// The place of a window of `crop` by `crop` pixels, whose rows are written as they come. `flip`
    /// reflects them left to right.
    ///
    /// # Panics
    /// If `values` does not hold `crop * crop * 3` values.
    pub fn slot<'a>(
        &'a mut self,
        crop: usize,
        flip: bool,
        layout: Layout,
        values: Values<'a>,
    ) -> Slot<'a> {
        assert_eq!(values.len(), crop * crop * 3, "values of the output");
        Slot {
            stream: self.stream && self.may_stream(crop, layout, &values),
            kernel: self,
            crop,
            flip,
            layout,
            values,
        }
    }

    /// Whether the output's place allows stores around the caches, and the code for it makes them.
    #[cfg(target_arch = "x86_64")]
    fn may_stream(&self, crop: usize, layout: Layout, values: &Values<'_>) -> bool {
        let (block, aligned) = match values {
            Values::Bytes(out) => (avx2::BYTE_BLOCK, avx2::aligned(crop, layout, out)),
            Values::Floats(_, Floats::F32(out)) => {
                (avx2::FLOAT_BLOCK, avx2::aligned(crop, layout, out))
            }
            Values::Floats(_, Floats::F16(out)) => {
                (avx2::FLOAT_BLOCK, avx2::aligned(crop, layout, out))
            }
            Values::Floats(_, Floats::Bf16(out)) => {
                (avx2::FLOAT_BLOCK, avx2::aligned(crop, layout, out))
            }
        };
        matches!(self.instructions, Instructions::Avx2) && crop >= block && aligned
    }

    #[cfg(not(target_arch = "x86_64"))]
    const fn may_stream(&self, _: usize, _: Layout, _: &Values<'_>) -> bool {
        false
    }
}

/// The place of a window in a batch; see [`Kernel::slot`]. The thread that drops it has written it.
pub struct Slot<'a> {
    kernel: &'a mut Kernel,
    /// Side of the window, in pixels.
    pub(crate) crop: usize,
    /// Whether rows are reflected left to right.
    pub(crate) flip: bool,
    layout: Layout,
    values: Values<'a>,
    /// Whether it is written around the caches.
    stream: bool,
}

impl Slot<'_> {
    /// Writes the rows of the strip as the window's rows from `first` on.
    ///
    /// # Panics
    /// If the strip does not hold its rows, of `crop` pixels each, or has more than the window has from
    /// `first` on.
    pub fn write(&mut self, first: usize, strip: Strip<'_>) {
        self.write_part(Part::new(strip, first, self.crop, self.flip));
    }

    /// Writes rows that are in their final order.
    pub(crate) fn write_ordered(&mut self, first: usize, strip: Strip<'_>) {
        self.write_part(Part::new(strip, first, self.crop, false));
    }

    /// The bytes of row `y` where nothing but them is stored there, and whether they must be written
    /// around the caches.
    pub(crate) fn plain_row(&mut self, y: usize) -> Option<(&mut [u8], bool)> {
        match (&mut self.values, self.layout) {
            (Values::Bytes(out), Layout::Nhwc) => {
                let row = self.crop * 3;
                Some((&mut out[y * row..][..row], self.stream))
            }
            _ => None,
        }
    }

    fn write_part(&mut self, part: Part<'_>) {
        match &mut self.values {
            Values::Bytes(out) => self.kernel.copy(part, self.layout, self.stream, out),
            Values::Floats(affine, out) => {
                let (affine, layout, stream) = (*affine, self.layout, self.stream);
                match out {
                    Floats::F32(out) => self.kernel.normalise(part, affine, layout, stream, out),
                    Floats::F16(out) => self.kernel.normalise(part, affine, layout, stream, out),
                    Floats::Bf16(out) => self.kernel.normalise(part, affine, layout, stream, out),
                }
            }
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if self.stream {
            avx2::fence();
        }
    }
}

/// `out` holds the values of the part's window; it is written around the caches with `stream`, which
/// needs alignment.
impl Kernel {
    fn copy(&mut self, part: Part<'_>, layout: Layout, stream: bool, out: &mut [u8]) {
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 if part.crop >= avx2::BYTE_BLOCK => {
                // SAFETY: the code was chosen because the processor has AVX2; the part lies in its
                // strip, `out` holds its window's values, and streaming was found possible.
                unsafe { avx2::bytes(part, layout, stream, out) }
            }
            _ => {
                debug_assert!(!stream);
                portable::bytes(part, layout, &mut self.row, out);
            }
        }
    }

    fn normalise<T: Value>(
        &mut self,
        part: Part<'_>,
        affine: Affine,
        layout: Layout,
        stream: bool,
        out: &mut [T],
    ) {
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 if part.crop >= avx2::FLOAT_BLOCK => {
                // SAFETY: as above, and F16C.
                unsafe { avx2::floats(part, affine, layout, stream, out) }
            }
            _ => {
                debug_assert!(!stream);
                portable::floats(part, affine, layout, &mut self.row, out);
            }
        }
    }
}
