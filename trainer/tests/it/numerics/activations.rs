//! The outputs of layers that a forward pass gives beside the logits.

use shardmill_trainer::ModelConfig;
use shardmill_trainer::internals::layer::Layer;
use shardmill_trainer::internals::shape::PoolShape;
use shardmill_trainer::internals::{Model, Network};
use shardmill_trainer::settings::Conv1Order;

use crate::numerics::oracle::numbers;

/// Side of an image.
const SIDE: usize = 64;

#[test]
fn the_outputs_of_layers_are_those_that_the_pass_goes_through() {
    for base in [
        ModelConfig::alexnet(),
        ModelConfig::alexnet_owt(),
        ModelConfig {
            conv1_order: Conv1Order::ActivationLast,
            ..ModelConfig::alexnet()
        },
    ] {
        let config = ModelConfig {
            width: 0.05,
            input_size: SIDE,
            classes: 7,
            ..base
        };
        let mut network = Network::new(Model::new(&config, 1).unwrap());
        let layers = network.model().layers().len();
        // More than one group of images, and a last chunk that is not full.
        let rows = 131;
        let images: Vec<f32> = numbers(rows * SIDE * SIDE * 3, 9)
            .iter()
            .map(|v| v * 100.0)
            .collect();
        let plain: Vec<f32> = network
            .logits(&images)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let all: Vec<usize> = (0..layers).collect();
        let found = network.activations(&images, &all).unwrap();
        assert!(found.logits == plain, "the logits changed");
        assert!(found.layers[layers - 1] == plain, "fc8 gives the logits");
        for (number, layer) in network.model().layers().iter().enumerate() {
            let values = &found.layers[number];
            assert_eq!(values.len(), rows * layer.output_len(), "{}", layer.name());
            assert!(values.iter().any(|&v| v != 0.0), "{}", layer.name());
            if let Layer::Dropout(_) = layer {
                assert!(
                    *values == found.layers[number - 1],
                    "dropout is the identity"
                );
            }
            let Layer::Pool(pool) = layer else { continue };
            let maxima = max_pool(&found.layers[number - 1], &pool.shape);
            let expected: Vec<f32> = match pool.activation {
                Some(_) => maxima.into_iter().map(|v| v.max(0.0)).collect(),
                None => maxima,
            };
            assert!(*values == expected, "{} is not of its input", layer.name());
        }
        let fc7 = network
            .model()
            .layers()
            .iter()
            .position(|l| l.name() == "fc7");
        let alone = network.activations(&images, &[fc7.unwrap(), 0]).unwrap();
        assert!(alone.layers[0] == found.layers[fc7.unwrap()]);
        assert!(alone.layers[1] == found.layers[0]);
        assert!(alone.layers[0].iter().all(|&v| v >= 0.0), "after its ReLU");
        // A pass without them in between, and one of a single image.
        let single = network
            .activations(&images[..SIDE * SIDE * 3], &[3])
            .unwrap();
        let len = single.layers[0].len();
        assert!(single.layers[0] == found.layers[3][..len]);
    }
}

/// The maxima of each window, from the definition.
fn max_pool(input: &[f32], shape: &PoolShape) -> Vec<f32> {
    let (height, width) = (shape.output_height(), shape.output_width());
    let mut output = Vec::new();
    for image in input.chunks_exact(shape.height * shape.width * shape.channels) {
        for y in 0..height {
            for x in 0..width {
                for channel in 0..shape.channels {
                    let mut largest = f32::NEG_INFINITY;
                    for row in y * shape.stride..y * shape.stride + shape.kernel {
                        for column in x * shape.stride..x * shape.stride + shape.kernel {
                            let place = (row * shape.width + column) * shape.channels + channel;
                            largest = largest.max(image[place]);
                        }
                    }
                    output.push(largest);
                }
            }
        }
    }
    output
}
