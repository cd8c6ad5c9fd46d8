//! The fused kernel: window, reflection, colour, normalisation, conversion and layout in one pass
//! over the rows of a record, straight into the batch.
//!
//! Contract of the unsafe code here: `avx2` is entered only through [`Kernel`], after the processor
//! was asked for its features and the window and the output were checked against each other; it
//! reads inside the window's rows and writes inside the output. No instruction set gives other
//! bytes, since a value is multiplied and added with two roundings and never fused, and rounded to
//! nearest, ties to even, where the output is narrower than f32.
#![allow(unsafe_code)]

use half::{bf16, f16};

#[cfg(target_arch = "x86_64")]
use crate::avx2;
use crate::instructions::Instructions;
use crate::portable;
use crate::value::Value;
use crate::window::{Affine, Layout, Window};

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
        match out {
            Floats::F32(out) => self.normalise(window, affine, layout, out),
            Floats::F16(out) => self.normalise(window, affine, layout, out),
            Floats::Bf16(out) => self.normalise(window, affine, layout, out),
        }
    }

    fn normalise<T: Value>(
        &mut self,
        window: Window<'_>,
        affine: Affine,
        layout: Layout,
        out: &mut [T],
    ) {
        window.check(out.len());
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 if window.crop >= avx2::FLOAT_BLOCK => {
                let stream = self.stream && avx2::aligned(window.crop, layout, out);
                // SAFETY: the code was chosen because the processor has AVX2 and F16C; the window
                // lies in its image, `out` holds its values, and streaming needs alignment.
                unsafe { avx2::floats(window, affine, layout, stream, out) }
            }
            _ => portable::floats(window, affine, layout, &mut self.row, out),
        }
    }

    /// Copies the window's bytes; `out` holds `crop * crop * 3` of them.
    ///
    /// # Panics
    /// If the window does not lie in its image or `out` does not hold its values.
    pub fn bytes(&mut self, window: Window<'_>, layout: Layout, out: &mut [u8]) {
        window.check(out.len());
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 if window.crop >= avx2::BYTE_BLOCK => {
                let stream = self.stream && avx2::aligned(window.crop, layout, out);
                // SAFETY: as above.
                unsafe { avx2::bytes(window, layout, stream, out) }
            }
            _ => portable::bytes(window, layout, &mut self.row, out),
        }
    }
}
