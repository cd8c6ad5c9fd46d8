use shardmill_trainer::LrnConfig;
use shardmill_trainer::ops::lrn;

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
