//! Windows of pictures, the memory that they are written to, and the strips that they come in.

use half::{bf16, f16};
use proptest::prelude::*;
use shardmill_kernels::{Affine, Floats, Rectangle, Strip, Values};

pub(super) const AFFINE: Affine = Affine {
    scale: [0.017, 0.0175, -0.0171],
    offset: [-2.1, -2.0, 1.8],
};

/// What a window is tested with: the picture has a border of pixels that must have no say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) crop: usize,
    pub(super) flip: bool,
    /// What the pixels are: noise, black and white, or slopes.
    pub(super) kind: u8,
    pub(super) seed: u32,
    /// Pixels before and behind the window in each direction.
    pub(super) border: usize,
}

impl Case {
    pub(super) fn area(&self) -> Rectangle {
        Rectangle {
            top: self.border,
            left: self.border,
            height: self.height,
            width: self.width,
        }
    }

    pub(super) fn picture(&self) -> (Vec<u8>, usize) {
        let (rows, width) = (self.height + 2 * self.border, self.width + 2 * self.border);
        let mut state = self.seed | 1;
        let mut pixels = Vec::with_capacity(rows * width * 3);
        for k in 0..rows * width * 3 {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let (y, x, c) = (k / 3 / width, k / 3 % width, k % 3);
            pixels.push(match self.kind {
                0 => (state >> 24) as u8,
                1 => (state >> 31) as u8 * 255,
                _ => (3 * y + 5 * x + 71 * c + x * y / 9) as u8,
            });
        }
        (pixels, width)
    }
}

pub(super) fn cases() -> impl Strategy<Value = Case> {
    let side = || prop_oneof![1_usize..=300, 1_usize..=12];
    let crop = prop_oneof![1_usize..=256, Just(32), Just(64), Just(224)];
    (
        side(),
        side(),
        crop,
        any::<bool>(),
        0_u8..3,
        any::<u32>(),
        0_usize..3,
    )
        .prop_map(|(height, width, crop, flip, kind, seed, border)| Case {
            height,
            width,
            crop,
            flip,
            kind,
            seed,
            border,
        })
}

/// The kinds of a slot's values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Bytes,
    F32,
    F16,
    Bf16,
}

pub(super) const KINDS: [Kind; 4] = [Kind::Bytes, Kind::F32, Kind::F16, Kind::Bf16];

/// The bits of what `write` makes of memory of this kind that begins `skip` values behind a 64-byte
/// bound, after a check that nothing was written around it.
pub(super) fn written(
    kind: Kind,
    values: usize,
    skip: usize,
    write: impl FnOnce(Values<'_>),
) -> Vec<u32> {
    fn room<T: Copy + PartialEq>(
        values: usize,
        skip: usize,
        guard: T,
        bits: impl Fn(T) -> u32,
        write: impl FnOnce(&mut [T]),
    ) -> Vec<u32> {
        let mut memory = vec![guard; values + skip + 128];
        let start = memory.as_ptr().align_offset(64) + skip;
        write(&mut memory[start..start + values]);
        let (before, rest) = memory.split_at(start);
        let (found, behind) = rest.split_at(values);
        assert!(before.iter().chain(behind).all(|value| *value == guard));
        found.iter().map(|value| bits(*value)).collect()
    }
    match kind {
        Kind::Bytes => room(values, skip, 77, u32::from, |out| write(Values::Bytes(out))),
        Kind::F32 => room(values, skip, 1e9, f32::to_bits, |out| {
            write(Values::Floats(AFFINE, Floats::F32(out)));
        }),
        Kind::F16 => room(
            values,
            skip,
            f16::MAX,
            |v| v.to_bits().into(),
            |out| {
                write(Values::Floats(AFFINE, Floats::F16(out)));
            },
        ),
        Kind::Bf16 => room(
            values,
            skip,
            bf16::MAX,
            |v| v.to_bits().into(),
            |out| {
                write(Values::Floats(AFFINE, Floats::Bf16(out)));
            },
        ),
    }
}

/// The rows of a strip, a few at a time, as a decoder gives them: `copied` to memory of their own, so
/// that nothing lies behind them.
pub(super) fn in_strips(
    strip: Strip<'_>,
    width: usize,
    sizes: &[usize],
    copied: bool,
    mut take: impl FnMut(usize, Strip<'_>),
) {
    let (mut first, mut sizes) = (0, sizes.iter().copied().cycle());
    while first < strip.rows {
        let rows = sizes.next().unwrap_or(1).min(strip.rows - first);
        if copied {
            let lines =
                (first..first + rows).flat_map(|y| &strip.rgb[y * strip.stride..][..width * 3]);
            let rgb: Vec<u8> = lines.copied().collect();
            take(
                first,
                Strip {
                    rgb: &rgb,
                    stride: width * 3,
                    rows,
                },
            );
        } else {
            let rgb = &strip.rgb[first * strip.stride..];
            take(first, Strip { rgb, rows, ..strip });
        }
        first += rows;
    }
}
