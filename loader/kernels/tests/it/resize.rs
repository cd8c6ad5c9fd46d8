//! Resized windows against their definition, and in strips against whole ones.

use proptest::prelude::*;
use shardmill_kernels::{Image, Kernel, Layout, Rectangle, Resize, Strip, Values, Window};

use crate::reference;
use crate::windows::{Case, KINDS, cases, in_strips, written};

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

/// The resized window by the definition, NHWC, without rounding.
fn defined(case: &Case, picture: &[u8], width: usize) -> Vec<f64> {
    let Case { crop, border, .. } = *case;
    let value = |y: usize, x: usize, c: usize| {
        f64::from(picture[((y + border) * width + x + border) * 3 + c])
    };
    let mut out = vec![0.0; crop * crop * 3];
    for c in 0..3 {
        let rows: Vec<Vec<f64>> = (0..case.height)
            .map(|y| {
                let line: Vec<f64> = (0..case.width).map(|x| value(y, x, c)).collect();
                (0..crop).map(|x| filtered(&line, crop, x)).collect()
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
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn resized_bytes_are_those_of_exact_weights_within_a_level(
        case in cases(),
        rows_alone in any::<bool>(),
        columns_alone in any::<bool>(),
    ) {
        // A direction that keeps its size changes nothing.
        let Case { height, width, crop, .. } = case;
        let case = Case {
            height: if columns_alone { crop } else { height },
            width: if rows_alone { crop } else { width },
            ..case
        };
        let (picture, width) = case.picture();
        let found = portable_bytes(&case, Image { rgb: &picture, width });
        let exact = defined(&case, &picture, width);
        // Each direction rounds to a level, and its weights to a 2^15th of each tap.
        let directions = [(case.height, crop), (case.width, crop)].into_iter();
        let bound: f64 = directions
            .filter(|(from, to)| from != to)
            .map(|(from, to)| 0.5 + 255.0 / 32768.0 * (1.0 + from as f64 / to as f64))
            .sum();
        for (found, exact) in found.iter().zip(&exact) {
            let apart = (f64::from(*found) - exact).abs();
            prop_assert!(apart <= bound + 1e-9, "{found} for {exact}, at most {bound} apart");
        }
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
