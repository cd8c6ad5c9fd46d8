//! A reflected or planar row is first put in order in a scratch row, which stays in the L1 cache, and
//! written from there.

use crate::value::Value;
use crate::window::{Affine, Layout, Part};

pub(crate) fn floats<T: Value>(
    part: Part<'_>,
    Affine { scale, offset }: Affine,
    layout: Layout,
    scratch: &mut Vec<u8>,
    out: &mut [T],
) {
    let crop = part.crop;
    match layout {
        Layout::Nhwc => {
            // 24 values are eight pixels and a whole number of registers of any width.
            let scales: [f32; 24] = std::array::from_fn(|i| scale[i % 3]);
            let offsets: [f32; 24] = std::array::from_fn(|i| offset[i % 3]);
            for (y, out) in part.interleaved(out).chunks_exact_mut(crop * 3).enumerate() {
                let row = ordered_row(&part, y, scratch);
                let (blocks, rest) = row.as_chunks::<24>();
                let (out_blocks, out_rest) = out.as_chunks_mut::<24>();
                for (out, block) in out_blocks.iter_mut().zip(blocks) {
                    for i in 0..24 {
                        out[i] = T::round(f32::from(block[i]) * scales[i] + offsets[i]);
                    }
                }
                for (i, (out, value)) in out_rest.iter_mut().zip(rest).enumerate() {
                    *out = T::round(f32::from(*value) * scales[i] + offsets[i]);
                }
            }
        }
        Layout::Nchw => {
            for y in 0..part.rows() {
                let planes = planar_row(&part, y, scratch);
                for (c, plane) in planes.chunks_exact(crop).enumerate() {
                    for (out, value) in row_of_plane(out, crop, c, part.first + y)
                        .iter_mut()
                        .zip(plane)
                    {
                        *out = T::round(f32::from(*value) * scale[c] + offset[c]);
                    }
                }
            }
        }
    }
}

pub(crate) fn bytes(part: Part<'_>, layout: Layout, scratch: &mut Vec<u8>, out: &mut [u8]) {
    let crop = part.crop;
    match layout {
        Layout::Nhwc => {
            for (y, out) in part.interleaved(out).chunks_exact_mut(crop * 3).enumerate() {
                if part.flip {
                    reflect(part.row(y), out);
                } else {
                    out.copy_from_slice(part.row(y));
                }
            }
        }
        Layout::Nchw => {
            for y in 0..part.rows() {
                let planes = planar_row(&part, y, scratch);
                for (c, plane) in planes.chunks_exact(crop).enumerate() {
                    row_of_plane(out, crop, c, part.first + y).copy_from_slice(plane);
                }
            }
        }
    }
}

fn row_of_plane<T>(out: &mut [T], crop: usize, c: usize, y: usize) -> &mut [T] {
    &mut out[(c * crop + y) * crop..][..crop]
}

/// The pixels of a row from right to left.
fn reflect(row: &[u8], out: &mut [u8]) {
    let (pixels, _) = row.as_chunks::<3>();
    let (out, _) = out.as_chunks_mut::<3>();
    for (out, pixel) in out.iter_mut().zip(pixels.iter().rev()) {
        *out = *pixel;
    }
}

/// A row of the part, reflected if the window is.
fn ordered_row<'s>(part: &Part<'s>, y: usize, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    if !part.flip {
        return part.row(y);
    }
    scratch.resize(part.crop * 3, 0);
    reflect(part.row(y), scratch);
    scratch
}

/// A row of the part as three planes of `crop` values, reflected if the window is.
fn planar_row<'s>(part: &Part<'_>, y: usize, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    let crop = part.crop;
    scratch.resize(crop * 3, 0);
    let (red, rest) = scratch.split_at_mut(crop);
    let (green, blue) = rest.split_at_mut(crop);
    let (pixels, _) = part.row(y).as_chunks::<3>();
    for (x, pixel) in pixels.iter().enumerate() {
        let x = if part.flip { crop - 1 - x } else { x };
        [red[x], green[x], blue[x]] = *pixel;
    }
    scratch
}
