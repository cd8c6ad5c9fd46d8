//! The fused kernel: window, reflection, colour, normalisation, conversion and layout in one pass
//! over the rows of a record, straight into the batch.
//!
//! Contract of the unsafe code here: `avx2` is entered only through [`Kernel`], after the processor
//! was asked for its features and the window and the output were checked against each other; it
//! reads inside the window's rows and writes inside the output. `colour` enters safe code that is
//! compiled for AVX2, through [`Colours`], as carefully. Everything else is safe code. No
//! instruction set gives other bytes, since a value is multiplied and added with two roundings and
//! never fused, and rounded to nearest, ties to even, where the output is narrower than f32.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod colour;
mod limits;
#[cfg(test)]
mod naive;
mod portable;
mod value;

pub(crate) use colour::Colours;
pub use limits::MemoryLimits;
pub(crate) use value::Value;

use crate::settings::Layout;

/// A window of a record.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    /// The record: rows of R, G, B.
    pub(crate) rgb: &'a [u8],
    /// Columns of the record.
    pub(crate) width: usize,
    pub(crate) top: usize,
    pub(crate) left: usize,
    /// Side of the window, in pixels.
    pub(crate) crop: usize,
    /// Whether it is reflected left to right.
    pub(crate) flip: bool,
}

impl<'a> Window<'a> {
    fn row(&self, y: usize) -> &'a [u8] {
        let start = ((self.top + y) * self.width + self.left) * 3;
        &self.rgb[start..start + self.crop * 3]
    }

    /// Panics if the window does not lie in its record or `values` is not the number of its values.
    fn check(&self, values: usize) {
        assert_eq!(values, self.crop * self.crop * 3, "values of the output");
        assert!(
            self.left + self.crop <= self.width
                && (self.top + self.crop) * self.width * 3 <= self.rgb.len(),
            "a window out of its record's range"
        );
    }
}

/// A value `v` of channel `c` becomes `v * scale[c] + offset[c]`, which must stay finite.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) scale: [f32; 3],
    pub(crate) offset: [f32; 3],
}

/// The code that this processor runs, and room for one row on its way; each worker keeps one.
pub(crate) struct Kernel {
    path: Path,
    /// Whether outputs may be written around the caches.
    stream: bool,
    row: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Path {
    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("f16c")
        {
            return Self::Avx2;
        }
        Self::Portable
    }
}

impl Kernel {
    /// The fastest code for this processor. With `stream`, outputs that lie on 32-byte bounds are
    /// written around the caches, which pays when a batch is larger than they are.
    pub(crate) fn new(stream: bool) -> Self {
        Self {
            path: Path::detect(),
            stream,
            row: Vec::new(),
        }
    }

    /// Writes the window's values, normalised; `out` holds `crop * crop * 3` of them.
    pub(crate) fn floats<T: Value>(
        &mut self,
        window: Window<'_>,
        affine: Affine,
        layout: Layout,
        out: &mut [T],
    ) {
        window.check(out.len());
        match self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 if window.crop >= avx2::FLOAT_BLOCK => {
                let stream = self.stream && avx2::aligned(window.crop, layout, out);
                // SAFETY: the path was chosen because the processor has AVX2 and F16C; the window
                // lies in its record, `out` holds its values, and streaming needs alignment.
                unsafe { avx2::floats(window, affine, layout, stream, out) }
            }
            _ => portable::floats(window, affine, layout, &mut self.row, out),
        }
    }

    /// Copies the window's bytes; `out` holds `crop * crop * 3` of them.
    pub(crate) fn bytes(&mut self, window: Window<'_>, layout: Layout, out: &mut [u8]) {
        window.check(out.len());
        match self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 if window.crop >= avx2::BYTE_BLOCK => {
                let stream = self.stream && avx2::aligned(window.crop, layout, out);
                // SAFETY: as above.
                unsafe { avx2::bytes(window, layout, stream, out) }
            }
            _ => portable::bytes(window, layout, &mut self.row, out),
        }
    }
}

#[cfg(test)]
mod tests;
