use proptest::prelude::*;

use shardmill_kernels::{Colours, Step, Tint};

use arithmetic::{byte, floor};

#[path = "../../src/arithmetic.rs"]
mod arithmetic;

/// The definitions pixel by pixel, in bytes.
mod naive {
    use super::{Step, Tint};

    pub(super) fn apply(tint: &Tint, rgb: &mut [u8]) {
        let (pixels, _) = rgb.as_chunks_mut::<3>();
        for (step, factor) in tint.steps() {
            let total: u64 = pixels.iter().map(|pixel| u64::from(grey(*pixel))).sum();
            let mean = (total as f64 / pixels.len() as f64) as f32;
            for pixel in pixels.iter_mut() {
                *pixel = match step {
                    Step::Brightness => blend(*pixel, 0.0, factor),
                    Step::Contrast => blend(*pixel, mean, factor),
                    Step::Saturation => blend(*pixel, f32::from(grey(*pixel)), factor),
                    Step::Hue if factor == 0.0 => *pixel,
                    Step::Hue => turn(*pixel, factor as f32),
                }
            }
        }
    }

    fn grey([r, g, b]: [u8; 3]) -> u8 {
        (0.2989 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)) as u8
    }

    fn blend(pixel: [u8; 3], other: f32, factor: f64) -> [u8; 3] {
        let rest = (1.0 - factor) as f32 * other;
        pixel.map(|value| (factor as f32 * f32::from(value) + rest) as u8)
    }

    pub(super) fn turn(pixel: [u8; 3], by: f32) -> [u8; 3] {
        let [r, g, b] = pixel.map(|value| f32::from(value) / 255.0);
        let (value, low) = (r.max(g).max(b), r.min(g).min(b));
        let range = value - low;
        let (saturation, divisor) = if range == 0.0 {
            (0.0, 1.0)
        } else {
            (range / value, range)
        };
        let away = [r, g, b].map(|channel| (value - channel) / divisor);
        let sixths = if value == r {
            away[2] - away[1]
        } else if value == g {
            2.0 + away[0] - away[2]
        } else {
            4.0 + away[1] - away[0]
        };
        let hue = (sixths / 6.0 + 1.0) % 1.0 + by;
        let sixths = (hue - hue.floor()) * 6.0;
        let (sector, part) = (sixths.floor(), sixths - sixths.floor());
        let p = (value * (1.0 - saturation)).clamp(0.0, 1.0);
        let q = (value * (1.0 - saturation * part)).clamp(0.0, 1.0);
        let t = (value * (1.0 - saturation * (1.0 - part))).clamp(0.0, 1.0);
        let turned = match sector as u8 {
            1 => [q, value, p],
            2 => [p, value, t],
            3 => [p, q, value],
            4 => [t, p, value],
            5 => [value, p, q],
            _ => [value, t, p],
        };
        turned.map(|channel| (channel * (256.0 - 1e-3)) as u8)
    }
}

/// The code for every processor, and the chosen one.
fn paths() -> [Colours; 2] {
    [Colours::portable(), Colours::default()]
}

proptest! {
    #[test]
    fn every_path_matches_the_definition_to_the_byte(
        rgb in (1_usize..200).prop_flat_map(|n| prop::collection::vec(any::<u8>(), 3 * n)),
        order in Just(Step::ALL.to_vec()).prop_shuffle(),
        factors in prop::array::uniform4(prop_oneof![Just(1.0), Just(0.0), 0.0..3.0_f64]),
        hue in prop_oneof![Just(0.0), Just(0.5), Just(-0.5), -0.5..0.5_f64],
    ) {
        let mut factors = factors;
        factors[Step::Hue as usize] = hue;
        let tint = Tint::new([order[0], order[1], order[2], order[3]], factors);
        let mut defined = rgb.clone();
        naive::apply(&tint, &mut defined);
        for mut colours in paths() {
            let mut found = rgb.clone();
            colours.tint(&tint, &mut found);
            prop_assert_eq!(&found, &defined);
        }
    }
}

#[test]
fn every_colour_survives_every_turn() {
    for by in [-0.5, -0.37, 1e-8, -1e-8, 0.2, 0.5] {
        let codes = (0..1 << 24).step_by(1777);
        let pixels: Vec<u8> = codes
            .flat_map(|code| u32::to_be_bytes(code)[1..].to_vec())
            .collect();
        let tint = Tint::new(Step::ALL, [1.0, 1.0, 1.0, by]);
        for mut colours in paths() {
            let mut found = pixels.clone();
            colours.tint(&tint, &mut found);
            for (pixel, turned) in pixels.chunks_exact(3).zip(found.chunks_exact(3)) {
                assert_eq!(
                    turned,
                    naive::turn([pixel[0], pixel[1], pixel[2]], by as f32)
                );
                // Lightest and darkest channel stay; conversions cut off.
                let extremes = |of: &[u8]| [of.iter().max().copied(), of.iter().min().copied()];
                let apart = extremes(pixel).into_iter().zip(extremes(turned));
                for (before, after) in apart {
                    assert!(before.unwrap().abs_diff(after.unwrap()) <= 1);
                }
            }
        }
    }
}

#[test]
fn bytes_and_floors_are_those_of_the_language() {
    let whole = (-2000..2000).map(|i| i as f32 / 4.0);
    let edges = [
        0.0,
        -0.0,
        254.999_98,
        255.0,
        1e30,
        -1e30,
        f32::INFINITY,
        f32::NEG_INFINITY,
    ];
    for x in whole
        .chain(edges)
        .chain([f32::NAN, f32::MIN_POSITIVE, 0.999_999_94])
    {
        for x in [x, x.next_up(), x.next_down()] {
            assert_eq!(byte(x), x as u8, "{x}");
            if x.abs() < 1e6 {
                assert_eq!(floor(x), x.floor(), "{x}");
            }
        }
    }
}
