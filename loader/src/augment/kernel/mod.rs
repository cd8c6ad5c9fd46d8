//! The fused kernel: window, reflection, colour, normalisation and layout in one pass over the rows
//! of a record, straight into the batch.
//!
//! Contract of the unsafe code here: a function compiled for AVX2 is called only after the processor
//! was asked whether it has AVX2. The code inside is the portable one, without any unsafe; the
//! compiler uses wider registers for it. No instruction set gives other bytes, since a value is
//! multiplied and added with two roundings and never fused.
#![allow(unsafe_code)]

#[cfg(test)]
mod naive;

use std::ops::Range;

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

    fn plane(&self, channel: usize) -> Range<usize> {
        channel * self.crop * self.crop..(channel + 1) * self.crop * self.crop
    }
}

/// Room for one row on its way, kept by each worker.
#[derive(Default)]
pub(crate) struct Scratch {
    row: Vec<u8>,
}

/// Writes `value * scale[c] + offset[c]` for every value of the window.
///
/// `out` holds `crop * crop * 3` values.
pub(crate) fn to_f32(
    window: Window<'_>,
    scale: [f32; 3],
    offset: [f32; 3],
    layout: Layout,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    assert_eq!(out.len(), window.crop * window.crop * 3);
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { to_f32_avx2(window, scale, offset, layout, scratch, out) };
        return;
    }
    to_f32_portable(window, scale, offset, layout, scratch, out);
}

/// Copies the window's bytes; `out` holds `crop * crop * 3` of them.
pub(crate) fn to_u8(window: Window<'_>, layout: Layout, scratch: &mut Scratch, out: &mut [u8]) {
    assert_eq!(out.len(), window.crop * window.crop * 3);
    let crop = window.crop;
    match layout {
        Layout::Nhwc => {
            for (y, out) in out.chunks_exact_mut(crop * 3).enumerate() {
                if window.flip {
                    reflect(window.row(y), out)
                } else {
                    out.copy_from_slice(window.row(y))
                }
            }
        }
        Layout::Nchw => {
            for y in 0..crop {
                let planes = planar_row(&window, y, scratch);
                for (c, plane) in planes.chunks_exact(crop).enumerate() {
                    out[window.plane(c)][y * crop..(y + 1) * crop].copy_from_slice(plane);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn to_f32_avx2(
    window: Window<'_>,
    scale: [f32; 3],
    offset: [f32; 3],
    layout: Layout,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    to_f32_portable(window, scale, offset, layout, scratch, out);
}

#[inline(always)]
fn to_f32_portable(
    window: Window<'_>,
    scale: [f32; 3],
    offset: [f32; 3],
    layout: Layout,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let crop = window.crop;
    match layout {
        Layout::Nhwc => {
            // 24 values are eight pixels and a whole number of registers of any width.
            let scales: [f32; 24] = std::array::from_fn(|i| scale[i % 3]);
            let offsets: [f32; 24] = std::array::from_fn(|i| offset[i % 3]);
            for (y, out) in out.chunks_exact_mut(crop * 3).enumerate() {
                let row = if window.flip {
                    scratch.row.resize(crop * 3, 0);
                    reflect(window.row(y), &mut scratch.row);
                    &scratch.row
                } else {
                    window.row(y)
                };
                let (blocks, rest) = row.as_chunks::<24>();
                let (out_blocks, out_rest) = out.as_chunks_mut::<24>();
                for (out, block) in out_blocks.iter_mut().zip(blocks) {
                    for i in 0..24 {
                        out[i] = f32::from(block[i]) * scales[i] + offsets[i];
                    }
                }
                for (i, (out, value)) in out_rest.iter_mut().zip(rest).enumerate() {
                    *out = f32::from(*value) * scales[i] + offsets[i];
                }
            }
        }
        Layout::Nchw => {
            for y in 0..crop {
                let planes = planar_row(&window, y, scratch);
                for (c, plane) in planes.chunks_exact(crop).enumerate() {
                    let out = &mut out[window.plane(c)][y * crop..(y + 1) * crop];
                    for (out, value) in out.iter_mut().zip(plane) {
                        *out = f32::from(*value) * scale[c] + offset[c];
                    }
                }
            }
        }
    }
}

/// The pixels of a row from right to left.
#[inline(always)]
fn reflect(row: &[u8], out: &mut [u8]) {
    let (pixels, _) = row.as_chunks::<3>();
    let (out, _) = out.as_chunks_mut::<3>();
    for (out, pixel) in out.iter_mut().zip(pixels.iter().rev()) {
        *out = *pixel;
    }
}

/// A row of the window as three planes of `crop` values, reflected if the window is.
#[inline(always)]
fn planar_row<'s>(window: &Window<'_>, y: usize, scratch: &'s mut Scratch) -> &'s [u8] {
    let crop = window.crop;
    scratch.row.resize(crop * 3, 0);
    let (red, rest) = scratch.row.split_at_mut(crop);
    let (green, blue) = rest.split_at_mut(crop);
    let (pixels, _) = window.row(y).as_chunks::<3>();
    for (x, pixel) in pixels.iter().enumerate() {
        let x = if window.flip { crop - 1 - x } else { x };
        [red[x], green[x], blue[x]] = *pixel;
    }
    &scratch.row
}

#[cfg(test)]
mod tests;
