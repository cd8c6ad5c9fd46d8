use shardmill_trainer::ModelConfig;
use shardmill_trainer::internals::Model;
use shardmill_trainer::settings::{Activation, Conv1Order};

use crate::numerics::network::{KEY, check_directional, fig1, images, labels, network};
use crate::numerics::oracle::{distance, wide};

#[test]
fn gradients_of_fig1s_network_match_the_change_of_the_loss() {
    for activation in [Activation::Relu, Activation::Tanh] {
        for conv1_order in [Conv1Order::ActivationFirst, Conv1Order::ActivationLast] {
            check_directional(&ModelConfig {
                activation,
                conv1_order,
                ..fig1()
            });
        }
    }
}

#[test]
fn an_activation_on_either_side_of_fig1s_max_pool_is_the_same() {
    for activation in [Activation::Relu, Activation::Tanh] {
        let of = |conv1_order| {
            let config = ModelConfig {
                activation,
                conv1_order,
                ..fig1()
            };
            let mut network = network(&config);
            let output = network.train_step(&images(3, 1), &labels(3), KEY).unwrap();
            (output, network.gradients().to_vec())
        };
        let [first, last] = [Conv1Order::ActivationFirst, Conv1Order::ActivationLast].map(of);
        assert_eq!(first.0, last.0);
        for (first, last) in first.1.iter().zip(&last.1) {
            let distance = distance(first, &wide(last));
            assert!(distance < 1e-5, "{activation:?}: {distance:e}");
        }
    }
}

#[test]
fn fig1s_initial_weights_have_the_authors_deviations() {
    let model = Model::new(&ModelConfig::fig1(), 1).unwrap();
    let names: Vec<&str> = model.parameters().iter().map(|p| p.name()).collect();
    let expected = ["conv1", "conv2", "conv3", "fc4"];
    let expected: Vec<String> = expected
        .iter()
        .flat_map(|layer| [format!("{layer}.weight"), format!("{layer}.bias")])
        .collect();
    assert_eq!(names, expected);
    for (number, std) in [(0, 1e-4), (2, 0.01), (4, 0.01), (6, 0.01)] {
        let [weight, bias] = [number, number + 1].map(|n| model.parameters()[n].values().to_vec());
        let squares: f64 = weight.iter().map(|&w| f64::from(w).powi(2)).sum();
        let found = (squares / weight.len() as f64).sqrt();
        assert!((found / std - 1.0).abs() < 0.05, "{number}: {found:e}");
        assert!(bias.iter().all(|b| *b == 0.0));
    }
}
