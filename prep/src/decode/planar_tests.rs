use proptest::prelude::*;
use pulp::Scalar;

use super::*;
use crate::decode::geometry::center_square;
use crate::decode::{Filter, Resize};

/// An image's planes with nothing left out, of levels that a seed draws; the colours' samples stand for
/// `step` pixels across and down.
fn drawn(
    (width, height): (usize, usize),
    step: (usize, usize),
    grey: bool,
    seed: u32,
) -> Vec<Plane> {
    let mut state = seed;
    let steps = [(1, 1), step, step];
    let planes = steps[..if grey { 1 } else { 3 }].iter();
    let plane = |&(across, down): &(usize, usize)| {
        let (width, height) = (width.div_ceil(across), height.div_ceil(down));
        let stride = width.next_multiple_of(8);
        let lines = height.next_multiple_of(8);
        let mut level = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        Plane {
            across,
            down,
            left: 0,
            top: 0,
            width,
            height,
            stride,
            lines,
            memory: (0..stride * lines + 32).map(|_| level()).collect(),
        }
    };
    planes.map(plane).collect()
}

/// A plane's level at a pixel of the image, which may be outside: three parts of the nearest sample and one
/// of the next nearest, in each direction that has fewer samples.
fn level(plane: &Plane, x: usize, y: usize) -> f64 {
    let at = |x: isize, y: isize| {
        let x = x.clamp(0, plane.width as isize - 1) as usize;
        let y = y.clamp(0, plane.height as isize - 1) as usize;
        f64::from(plane.memory[y * plane.stride + x])
    };
    let parts = |place: usize, step: usize| {
        let near = (place / step) as isize;
        let next = if place.is_multiple_of(2) { -1 } else { 1 };
        if step == 1 {
            [(near, 1.0), (near, 0.0)]
        } else {
            [(near, 0.75), (near + next, 0.25)]
        }
    };
    let mut sum = 0.0;
    for (x, share) in parts(x, plane.across) {
        for (y, other) in parts(y, plane.down) {
            sum += share * other * at(x, y);
        }
    }
    sum
}

/// The definition in f64: each plane at full size, then each pixel of the record from all pixels. No number
/// where a box ends in a pixel's middle: the last bit of a product says to which box it belongs.
fn naive(
    planes: &[Plane],
    crop: CropBox,
    (width, height): (usize, usize),
    options: &DecodeOptions,
    size: usize,
) -> Vec<f64> {
    let weights = |place: usize, start: f64, kept: f64, length: usize| -> Vec<f64> {
        let scale = kept / size as f64;
        let center = start + (place as f64 + 0.5) * scale;
        let weight = |i| {
            let x = (i as f64 + 0.5 - center) / scale.max(1.0);
            let undecided = options.filter == Filter::Box && (x.abs() - 0.5).abs() < 1e-9;
            if undecided {
                f64::NAN
            } else {
                options.weight(x)
            }
        };
        let weights: Vec<f64> = (0..length).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    };
    let mut record = Vec::new();
    for y in 0..size {
        let down = weights(y, crop.top, crop.height, height);
        for x in 0..size {
            let across = weights(x, crop.left, crop.width, width);
            let mean = |plane: &Plane| {
                let mut sum = 0.0;
                for (y, weight) in down
                    .iter()
                    .enumerate()
                    .filter(|(_, weight)| **weight != 0.0)
                {
                    for (x, other) in across.iter().enumerate() {
                        sum += weight * other * level(plane, x, y);
                    }
                }
                sum
            };
            let means: Vec<f64> = planes.iter().map(mean).collect();
            let [blue, red] = match means[..] {
                [_, blue, red] => [blue, red].map(|level| level.clamp(0.0, 255.0) - 128.0),
                _ => [0.0; 2],
            };
            let colours = [
                1.402 * red,
                -0.344_136 * blue - 0.714_136 * red,
                1.772 * blue,
            ];
            record.extend(colours.map(|colour| (means[0] + colour).clamp(0.0, 255.0)));
        }
    }
    record
}

fn size_of((width, height): (usize, usize)) -> Size {
    Size { width, height }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn records_are_the_definition_s_whatever_the_lanes(
        image in (1..80_usize, 1..80_usize),
        step in (1..3_usize, 1..3_usize),
        size in 1..50_usize,
        grey: bool,
        squash: bool,
        filter in proptest::sample::select(Filter::ALL),
        seed: u32,
    ) {
        let options = DecodeOptions { filter, ..DecodeOptions::default() };
        let (width, height) = (image.0 as u32, image.1 as u32);
        let crop = match squash {
            true => CropBox::whole(width, height),
            false => center_square(width, height, size as u32),
        };
        let planes = drawn(image, step, grey, seed);
        let mut planar = Planar::default();
        let mut record = vec![0; size * size * 3];
        planar.resize(&planes, crop, size_of(image), &options, &mut record);
        let exact = naive(&planes, crop, image, &options, size);
        for (i, (found, exact)) in record.iter().zip(&exact).enumerate() {
            let difference = f64::from(*found) - exact;
            if exact.is_nan() {
                continue;
            }
            // Rounding to whole levels, and on the way sums in 1/128 and 1/64 of one.
            prop_assert!(difference.abs() < 1.0, "{i}: {exact} {found}");
        }
        let mut scalar = vec![0; record.len()];
        planar.task(&planes, crop, size_of(image), &options, &mut scalar).run(Scalar);
        prop_assert_eq!(scalar, record);
    }
}

#[test]
fn no_filter_makes_images_lighter_or_darker() {
    for &filter in Filter::ALL {
        let options = DecodeOptions {
            filter,
            ..DecodeOptions::default()
        };
        for (image, step, size) in [((200, 150), (1, 1), 48), ((90, 130), (2, 2), 100)] {
            let planes = drawn(image, step, true, 3);
            let crop = center_square(image.0 as u32, image.1 as u32, size as u32);
            let mut record = vec![0; size * size * 3];
            Planar::default().resize(&planes, crop, size_of(image), &options, &mut record);
            let exact = naive(&planes, crop, image, &options, size);
            let pairs = record
                .iter()
                .zip(&exact)
                .filter(|(_, exact)| !exact.is_nan());
            let difference = pairs.map(|(found, exact)| f64::from(*found) - exact);
            let mean = difference.sum::<f64>() / exact.len() as f64;
            assert!(mean.abs() < 0.05, "{filter} {image:?}: {mean}");
        }
    }
}

#[test]
fn kept_weights_are_those_of_the_image() {
    let mut kept = Planar::default();
    // More axes than are kept, each image again after a few others.
    let sides = [20, 33, 21, 40, 27, 35, 24, 50, 31, 22];
    for turn in 0..40 {
        let image = (sides[turn % 7], sides[turn * turn % 10]);
        let planes = drawn(image, (1 + turn % 2, 2), false, 5);
        let options = DecodeOptions {
            filter: Filter::ALL[turn / 9 % 4],
            ..DecodeOptions::default()
        };
        let crop = CropBox::whole(image.0 as u32, image.1 as u32);
        let [mut record, mut wanted] = [[0; 12 * 12 * 3]; 2];
        kept.resize(&planes, crop, size_of(image), &options, &mut record);
        Planar::default().resize(&planes, crop, size_of(image), &options, &mut wanted);
        assert_eq!(record, wanted, "turn {turn}, {image:?}");
    }
}

#[test]
fn a_part_of_the_planes_is_enough() {
    let (width, height) = (160, 96);
    let planes = drawn((width, height), (2, 2), false, 7);
    let options = DecodeOptions::default();
    let crop = center_square(width as u32, height as u32, 40);
    let region = region(crop, 40, &options, Size { width, height });
    let mut planar = Planar::default();
    let [mut whole, mut part] = [[0; 40 * 40 * 3]; 2];
    planar.resize(&planes, crop, Size { width, height }, &options, &mut whole);
    // As the decoder does it: whole blocks of eight, and a sample to spare on either side.
    let cut = |plane: &Plane| {
        let left = (region.left / plane.across).saturating_sub(1) / 8 * 8;
        let right = (region.right.div_ceil(plane.across) + 1).next_multiple_of(8);
        let right = right.min(plane.stride);
        let rows = plane.memory[..plane.stride * plane.lines].chunks(plane.stride);
        let mut memory: Vec<u8> = rows.flat_map(|row| row[left..right].to_vec()).collect();
        memory.resize(memory.len() + 32, 99);
        Plane {
            left,
            width: right - left,
            stride: right - left,
            memory,
            ..*plane
        }
    };
    let parts: Vec<Plane> = planes.iter().map(cut).collect();
    assert!(parts[0].width < planes[0].width && parts[1].left > 0);
    planar.resize(&parts, crop, Size { width, height }, &options, &mut part);
    assert_eq!(part, whole);
    assert_eq!(options.resize, Resize::ShortSide);
}
