//! Resized windows against their definition, and windows that come in strips against whole ones.

use half::{bf16, f16};
use proptest::prelude::*;
use shardmill_kernels::{
    Affine, Floats, Image, Kernel, Layout, Rectangle, Resize, Strip, Values, Window,
};

use crate::naive;
use crate::reference;

const AFFINE: Affine = Affine {
    scale: [0.017, 0.0175, -0.0171],
    offset: [-2.1, -2.0, 1.8],
};

/// What a window is tested with: the picture has a border of pixels that must have no say.
#[derive(Clone, Copy, Debug)]
struct Case {
    height: usize,
    width: usize,
    crop: usize,
    flip: bool,
    /// What the pixels are: noise, black and white, or slopes.
    kind: u8,
    seed: u32,
    /// Pixels before and behind the window in each direction.
    border: usize,
}

impl Case {
    fn area(&self) -> Rectangle {
        Rectangle {
            top: self.border,
            left: self.border,
            height: self.height,
            width: self.width,
        }
    }

    fn picture(&self) -> (Vec<u8>, usize) {
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

fn cases() -> impl Strategy<Value = Case> {
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

/// A value of a resized line by the definition: the triangle filter, over the line alone.
fn filtered(line: &[f64], to: usize, x: usize) -> f64 {
    let scale = line.len() as f64 / to as f64;
    let (centre, reach) = ((x as f64 + 0.5) * scale, scale.max(1.0));
    let (mut sum, mut total) = (0.0, 0.0);
    for (tap, value) in line.iter().enumerate() {
        let weight = 1.0 - (tap as f64 + 0.5 - centre).abs() / reach;
        if weight > 0.0 {
            sum += weight * value;
            total += weight;
        }
    }
    sum / total
}

/// The resized window by the definition, NHWC, with rows rounded between the passes or not.
fn defined(case: &Case, picture: &[u8], width: usize, between: fn(f64) -> f64) -> Vec<f64> {
    let Case { crop, border, .. } = *case;
    let value = |y: usize, x: usize, c: usize| {
        f64::from(picture[((y + border) * width + x + border) * 3 + c])
    };
    let mut out = vec![0.0; crop * crop * 3];
    for c in 0..3 {
        let rows: Vec<Vec<f64>> = (0..case.height)
            .map(|y| {
                let line: Vec<f64> = (0..case.width).map(|x| value(y, x, c)).collect();
                (0..crop)
                    .map(|x| between(filtered(&line, crop, x)))
                    .collect()
            })
            .collect();
        for x in 0..crop {
            let column: Vec<f64> = rows.iter().map(|row| row[x]).collect();
            let to = if case.flip { crop - 1 - x } else { x };
            for y in 0..crop {
                out[(y * crop + to) * 3 + c] = filtered(&column, crop, y);
            }
        }
    }
    out
}

/// The kinds of a slot's values.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Bytes,
    F32,
    F16,
    Bf16,
}

const KINDS: [Kind; 4] = [Kind::Bytes, Kind::F32, Kind::F16, Kind::Bf16];

/// The bits of what `write` makes of memory of this kind that begins `skip` values behind a 64-byte
/// bound, after a check that nothing was written around it.
fn written(kind: Kind, values: usize, skip: usize, write: impl FnOnce(Values<'_>)) -> Vec<u32> {
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
fn in_strips(
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

/// Resizes a case in one call with the code for every processor.
fn portable_bytes(case: &Case, image: Image<'_>) -> Vec<u8> {
    let mut out = vec![0; case.crop * case.crop * 3];
    let mut kernel = Kernel::portable();
    let slot = kernel.slot(case.crop, case.flip, Layout::Nhwc, Values::Bytes(&mut out));
    Resize::portable()
        .begin(case.height, case.width, slot)
        .rows(image.strip(case.area()));
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn resized_bytes_are_those_of_exact_weights_within_a_level(case in cases()) {
        let (picture, width) = case.picture();
        let found = portable_bytes(&case, Image { rgb: &picture, width });
        let exact = defined(&case, &picture, width, |value| value);
        for (found, exact) in found.iter().zip(&exact) {
            // Each pass rounds once; the rest is the weights'.
            prop_assert!((f64::from(*found) - exact).abs() < 1.05, "{found} for {exact}");
        }
        let rounded = defined(&case, &picture, width, |value| (value + 0.5).floor());
        let pairs = found.iter().zip(&rounded);
        let differ = pairs.filter(|(found, value)| f64::from(**found) != (**value + 0.5).floor());
        let share = differ.count() as f64 / found.len() as f64;
        // Ties of black and white fall to either side.
        prop_assert!(case.kind == 1 || found.len() < 1000 || share < 0.03, "{share} of bytes differ");
    }

    #[test]
    fn every_path_output_layout_and_cut_gives_the_same_resized_window(
        case in cases(),
        sizes in prop::collection::vec(1_usize..20, 1..4),
        copied in any::<bool>(),
        skip in prop_oneof![Just(0), 0_usize..33],
    ) {
        let (picture, width) = case.picture();
        let image = Image { rgb: &picture, width };
        let crop = case.crop;
        let bytes = portable_bytes(&case, image);
        let whole = Window { rgb: &bytes, width: crop, top: 0, left: 0, crop, flip: false };
        // The weights and rows of the window before must leave no trace.
        let (mut portable, mut fastest) = (Resize::portable(), Resize::default());
        for layout in [Layout::Nhwc, Layout::Nchw] {
            for kind in KINDS {
                let wanted = written(kind, bytes.len(), skip, |values| match values {
                    Values::Bytes(out) => Kernel::portable().bytes(whole, layout, out),
                    Values::Floats(affine, out) => {
                        Kernel::portable().floats(whole, affine, layout, out);
                    }
                });
                for resize in [&mut portable, &mut fastest] {
                    for stream in [false, true] {
                        let found = written(kind, bytes.len(), skip, |values| {
                            let mut kernel = Kernel::new(stream);
                            let slot = kernel.slot(crop, case.flip, layout, values);
                            let mut window = resize.begin(case.height, case.width, slot);
                            let strip = image.strip(case.area());
                            in_strips(strip, case.width, &sizes, copied, |_, strip| window.rows(strip));
                        });
                        prop_assert!(found == wanted, "{:?} {:?}, streamed: {}", kind, layout, stream);
                    }
                }
            }
        }
    }

    #[test]
    fn a_window_in_strips_is_the_whole_window(
        case in cases(),
        sizes in prop::collection::vec(1_usize..20, 1..4),
        copied in any::<bool>(),
        skip in prop_oneof![Just(0), 0_usize..33],
    ) {
        let case = Case { height: case.crop, width: case.crop, ..case };
        let (picture, width) = case.picture();
        let Case { crop, flip, border, .. } = case;
        let window = Window { rgb: &picture, width, top: border, left: border, crop, flip };
        let strip = Image { rgb: &picture, width }.strip(case.area());
        for layout in [Layout::Nhwc, Layout::Nchw] {
            let places = naive::places(crop, layout).into_iter();
            let defined: Vec<u32> = places.map(|(y, x, c)| naive::value(&window, y, x, c).into()).collect();
            for kind in KINDS {
                let wanted = written(kind, defined.len(), skip, |values| match values {
                    Values::Bytes(out) => Kernel::new(true).bytes(window, layout, out),
                    Values::Floats(affine, out) => Kernel::new(true).floats(window, affine, layout, out),
                });
                if matches!(kind, Kind::Bytes) {
                    prop_assert_eq!(&wanted, &defined);
                }
                for mut kernel in [Kernel::portable(), Kernel::new(false), Kernel::new(true)] {
                    let found = written(kind, defined.len(), skip, |values| {
                        let mut slot = kernel.slot(crop, flip, layout, values);
                        // From the last strip to the first: the order is the caller's.
                        let mut strips = Vec::new();
                        in_strips(strip, crop, &sizes, copied, |first, strip| {
                            strips.push((first, strip.rgb.to_vec(), strip.stride, strip.rows));
                        });
                        for (first, rgb, stride, rows) in strips.iter().rev() {
                            let (stride, rows) = (*stride, *rows);
                            slot.write(*first, Strip { rgb, stride, rows });
                        }
                    });
                    prop_assert!(found == wanted, "{:?} {:?}", kind, layout);
                }
            }
        }
    }
}

#[test]
fn a_window_of_one_colour_keeps_it_at_any_size() {
    let rgb: Vec<u8> = [0, 255, 93].repeat(300 * 300);
    let image = Image {
        rgb: &rgb,
        width: 300,
    };
    for (height, width, crop) in [
        (1, 1, 7),
        (300, 299, 224),
        (300, 300, 1),
        (2, 300, 31),
        (50, 3, 2),
    ] {
        let area = Rectangle {
            top: 0,
            left: 0,
            height,
            width,
        };
        for mut resize in [Resize::portable(), Resize::default()] {
            let mut out = vec![7; crop * crop * 3];
            let mut kernel = Kernel::new(false);
            let slot = kernel.slot(crop, false, Layout::Nhwc, Values::Bytes(&mut out));
            resize.begin(height, width, slot).rows(image.strip(area));
            assert_eq!(out, [0, 255, 93].repeat(crop * crop));
        }
    }
}

#[test]
fn an_output_row_is_written_as_soon_as_its_rows_are_there() {
    let picture = reference::picture();
    let image = Image {
        rgb: &picture,
        width: reference::WIDTH,
    };
    let area = Rectangle {
        top: 0,
        left: 0,
        height: 40,
        width: 48,
    };
    let whole = image.strip(area);
    for (crop, taken, written) in [
        (80, 20, 39),
        (80, 40, 80),
        (20, 20, 9),
        (20, 1, 0),
        (40, 20, 20),
    ] {
        let mut out = vec![0_u8; crop * crop * 3];
        out.fill(255);
        let mut kernel = Kernel::new(false);
        let mut resize = Resize::default();
        let slot = kernel.slot(crop, false, Layout::Nhwc, Values::Bytes(&mut out));
        resize.begin(40, 48, slot).rows(Strip {
            rows: taken,
            ..whole
        });
        let untouched = out
            .rchunks(crop * 3)
            .take_while(|row| row.iter().all(|v| *v == 255));
        assert_eq!(
            crop - untouched.count(),
            written,
            "{taken} of 40 rows to {crop}"
        );
    }
}

#[test]
#[should_panic(expected = "41 rows of a window of 40")]
fn more_rows_than_the_window_has_are_refused() {
    let picture = reference::picture();
    let strip = Strip {
        rgb: &picture,
        stride: reference::WIDTH * 3,
        rows: 1,
    };
    let mut out = [0; 3];
    let (mut kernel, mut resize) = (Kernel::new(false), Resize::default());
    let slot = kernel.slot(1, false, Layout::Nhwc, Values::Bytes(&mut out));
    let mut window = resize.begin(40, 48, slot);
    window.rows(Strip { rows: 40, ..strip });
    window.rows(strip);
}

#[test]
#[should_panic(expected = "rows 3 to 5 of a window of 4")]
fn rows_beyond_a_slot_are_refused() {
    let picture = reference::picture();
    let strip = Strip {
        rgb: &picture,
        stride: reference::WIDTH * 3,
        rows: 2,
    };
    let mut out = [0; 48];
    let mut kernel = Kernel::new(false);
    kernel
        .slot(4, false, Layout::Nchw, Values::Bytes(&mut out))
        .write(3, strip);
}

#[test]
#[should_panic(expected = "does not hold 3 rows of 4 pixels")]
fn a_strip_that_lacks_bytes_is_refused() {
    let (rgb, mut out) = ([0; 35], [0; 48]);
    let mut kernel = Kernel::new(false);
    let strip = Strip {
        rgb: &rgb,
        stride: 12,
        rows: 3,
    };
    kernel
        .slot(4, false, Layout::Nhwc, Values::Bytes(&mut out))
        .write(0, strip);
}
