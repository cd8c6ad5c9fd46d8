use proptest::prelude::*;
use shardmill_trainer::ModelConfig;
use shardmill_trainer::internals::layer::{Layer, LrnLayer, layers};
use shardmill_trainer::internals::ops::lrn;
use shardmill_trainer::internals::ops::map_norm;
use shardmill_trainer::internals::shape::MapShape;
use shardmill_trainer::settings::LrnConfig;

use crate::numerics::oracle::{self, check_gradient, distance, dot, numbers, wide};

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

/// Channels, and columns of them.
const CHANNELS: [(usize, usize); 6] = [(1, 1), (4, 1), (19, 1), (4, 2), (16, 2), (24, 2)];

/// A layer of six pixels.
fn layer(config: &LrnConfig, channels: usize, columns: usize) -> LrnLayer {
    LrnLayer {
        name: "norm".to_owned(),
        pixels: 6,
        channels,
        columns,
        config: *config,
    }
}

#[test]
fn net_145s_columns_are_those_of_its_kernels() {
    let norms = |config: &ModelConfig| -> Vec<(usize, usize)> {
        let layers = layers(config).unwrap().into_iter();
        let norms = layers.filter_map(|layer| match layer {
            Layer::Lrn(norm) => Some((norm.channels, norm.column_channels())),
            _ => None,
        });
        norms.collect()
    };
    let paper = ModelConfig::alexnet();
    assert_eq!(norms(&paper), [(96, 96), (256, 256)]);
    let cut = ModelConfig {
        lrn_within_columns: true,
        ..paper
    };
    assert_eq!(norms(&cut), [(96, 48), (256, 128)]);
    let half = ModelConfig { columns: 1, ..cut };
    assert_eq!(norms(&half), [(48, 48), (128, 128)]);
}

#[test]
fn forward_matches_the_definition() {
    for config in configs() {
        for (channels, columns) in CHANNELS {
            let image = numbers(6 * channels, 1);
            let norm = layer(&config, channels, columns);
            let own = norm.column_channels();
            let mut scratch = vec![f32::NAN; lrn::scratch_len(own, &config)];
            let mut output = vec![f32::NAN; image.len()];
            lrn::forward(&config, own, &image, &mut scratch, &mut output);
            let expected = oracle::lrn(&config, (channels, columns), &wide(&image));
            let distance = distance(&output, &expected);
            assert!(distance < 1e-6, "{config:?} {channels} {columns}");
        }
    }
}

#[test]
fn gradient_matches_finite_differences() {
    for config in configs() {
        for (channels, columns) in CHANNELS {
            let image = numbers(6 * channels, 1);
            let gradient = numbers(image.len(), 2);
            let own = layer(&config, channels, columns).column_channels();
            let mut scratch = vec![f32::NAN; lrn::scratch_len(own, &config)];
            let mut image_gradient = vec![f32::NAN; image.len()];
            lrn::backward(
                &config,
                own,
                &image,
                &gradient,
                &mut scratch,
                &mut image_gradient,
            );
            check_gradient("image", &image, &image_gradient, |image| {
                dot(&oracle::lrn(&config, (channels, columns), image), &gradient)
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
    assert!(distance(&output, &oracle::lrn(&config, (24, 1), &wide(&image))) < 1e-6);
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
