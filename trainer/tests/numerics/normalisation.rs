use proptest::prelude::*;
use shardmill_trainer::LrnConfig;
use shardmill_trainer::ops::lrn;
use shardmill_trainer::ops::map_norm::{self, MapShape};

use crate::oracle::{self, check_gradient, distance, dot, numbers, wide};

/// The paper's constants, constants that make every term count, and a general power and size.
fn configs() -> [LrnConfig; 3] {
    let paper = LrnConfig::default();
    [
        paper,
        LrnConfig {
            k: 1.0,
            alpha: 2.0,
            ..paper
        },
        LrnConfig {
            size: 3,
            k: 0.5,
            alpha: 1.5,
            beta: 0.6,
        },
    ]
}

const CHANNELS: [usize; 3] = [1, 4, 19];

#[test]
fn forward_matches_the_definition() {
    for config in configs() {
        for channels in CHANNELS {
            let image = numbers(6 * channels, 1);
            let mut scratch = vec![f32::NAN; lrn::scratch_len(channels, &config)];
            let mut output = vec![f32::NAN; image.len()];
            lrn::forward(&config, channels, &image, &mut scratch, &mut output);
            let expected = oracle::lrn(&config, channels, &wide(&image));
            assert!(distance(&output, &expected) < 1e-6, "{config:?} {channels}");
        }
    }
}

#[test]
fn gradient_matches_finite_differences() {
    for config in configs() {
        for channels in CHANNELS {
            let image = numbers(6 * channels, 1);
            let gradient = numbers(image.len(), 2);
            let mut scratch = vec![f32::NAN; lrn::scratch_len(channels, &config)];
            let mut image_gradient = vec![f32::NAN; image.len()];
            lrn::backward(
                &config,
                channels,
                &image,
                &gradient,
                &mut scratch,
                &mut image_gradient,
            );
            check_gradient("image", &image, &image_gradient, |image| {
                dot(&oracle::lrn(&config, channels, image), &gradient)
            });
        }
    }
}

#[test]
fn pixels_of_the_historic_scale_stay_finite() {
    let config = LrnConfig::default();
    let image = vec![3e4; 24];
    let mut scratch = vec![0.0; lrn::scratch_len(24, &config)];
    let mut output = vec![0.0; 24];
    lrn::forward(&config, 24, &image, &mut scratch, &mut output);
    assert!(distance(&output, &oracle::lrn(&config, 24, &wide(&image))) < 1e-6);
}

fn maps() -> impl Strategy<Value = (LrnConfig, MapShape, u64)> {
    let shape = (1..8_usize, 1..8_usize, 1..20_usize);
    let constants = (0..3_usize, 0.5..2.0_f32, 0.0..20.0_f32, any::<bool>());
    (shape, constants, any::<u64>()).prop_map(|(shape, (half, k, alpha, paper), seed)| {
        let (height, width, channels) = shape;
        let config = LrnConfig {
            size: 2 * half + 1,
            k,
            alpha,
            beta: if paper { 0.75 } else { 0.6 },
        };
        let shape = MapShape {
            height,
            width,
            channels,
        };
        (config, shape, seed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn within_maps_values_and_gradients_match_the_definition((config, shape, seed) in maps()) {
        let (image, gradient) = (numbers(shape.len(), seed), numbers(shape.len(), seed ^ 1));
        let mut scratch = vec![f32::NAN; map_norm::scratch_len(&shape)];
        let mut output = vec![f32::NAN; image.len()];
        map_norm::forward(&config, &shape, &image, &mut scratch, &mut output);
        let expected = oracle::map_norm(&config, &shape, &wide(&image));
        prop_assert!(distance(&output, &expected) < 1e-6);

        map_norm::backward(&config, &shape, &image, &gradient, &mut scratch, &mut output);
        check_gradient("image", &image, &output, |image| {
            dot(&oracle::map_norm(&config, &shape, image), &gradient)
        });
    }
}
