use shardmill_trainer::ModelConfig;
use shardmill_trainer::internals::sgd::{Sgd, SgdConfig};
use shardmill_trainer::internals::{DropoutKey, Masks, Model, Network, StepOutput};
use shardmill_trainer::settings::{
    Activation, Conv1Order, Conv1Window, InitConfig, LrnConfig, Pooling,
};

use crate::numerics::oracle::numbers;

pub(crate) const KEY: DropoutKey = DropoutKey { seed: 3, step: 1 };

fn small(base: ModelConfig) -> ModelConfig {
    ModelConfig {
        width: 0.05,
        input_size: 64,
        classes: 7,
        ..base
    }
}

pub(crate) fn network(config: &ModelConfig) -> Network {
    Network::new(Model::new(config, 1).unwrap())
}

/// Images of the historic scale, so that the initial weights give gradients of a useful size.
pub(crate) fn images(rows: usize, seed: u64) -> Vec<f32> {
    numbers(rows * 64 * 64 * 3, seed)
        .iter()
        .map(|v| v * 100.0)
        .collect()
}

pub(crate) fn labels(rows: usize) -> Vec<i64> {
    (0..rows).map(|row| (row * 3 % 7) as i64).collect()
}

/// Moves a network along its gradient and back: the loss must change as the gradient says.
pub(crate) fn check_directional(config: &ModelConfig) {
    let mut network = network(config);
    let (mut images, labels) = (images(3, 1), labels(3));
    images.iter_mut().for_each(|v| *v *= 0.05);
    network.train_step(&images, &labels, KEY).unwrap();
    let gradients = network.gradients().to_vec();
    let starts: Vec<Vec<f32>> = network
        .model()
        .parameters()
        .iter()
        .map(|p| p.values().to_vec())
        .collect();
    let names: Vec<String> = network
        .model()
        .parameters()
        .iter()
        .map(|p| p.name().to_owned())
        .collect();
    for (i, name) in names.iter().enumerate() {
        let norm: f64 = gradients[i]
            .iter()
            .map(|&g| f64::from(g).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!(norm > 0.0, "{name} has no gradient");
        // A change that is small, so that few activations cross their corner, and yet far above the
        // rounding of the loss.
        let farthest = if name == "conv1.weight" { 4e-4 } else { 0.005 };
        let step = (1e-4 / (norm * norm)).min(farthest / norm);
        let mut at = |step: f64| -> f64 {
            let moved: Vec<f32> = starts[i]
                .iter()
                .zip(&gradients[i])
                .map(|(&w, &g)| (f64::from(w) + step * f64::from(g)) as f32)
                .collect();
            let shape = network.model().parameters()[i].tensor().dims().to_vec();
            let tensor = candle_core::Tensor::from_vec(moved, shape, &candle_core::Device::Cpu);
            network
                .model_mut()
                .set_parameter(name, &tensor.unwrap())
                .unwrap();
            network.train_step(&images, &labels, KEY).unwrap().loss
        };
        let (change, expected) = (at(step) - at(-step), 2.0 * step * norm * norm);
        at(0.0);
        // A tenth for the pools that change their winner on the way, and the rounding of f32 logits.
        let allowed = 0.1 * expected + 5e-7;
        assert!(
            (change - expected).abs() < allowed,
            "{name}: {change:e}, not {expected:e}: {config:?}"
        );
    }
}

#[test]
fn gradients_match_the_change_of_the_loss() {
    check_directional(&small(ModelConfig::alexnet()));
    check_directional(&small(ModelConfig::alexnet_owt()));
}

#[test]
fn gradients_of_every_ablation_match_the_change_of_the_loss() {
    let base = small(ModelConfig::alexnet());
    for config in [
        ModelConfig {
            lrn: None,
            ..base.clone()
        },
        ModelConfig {
            pooling: Pooling::NonOverlapping,
            ..base.clone()
        },
        ModelConfig {
            columns: 1,
            ..base.clone()
        },
        ModelConfig {
            activation: Activation::Tanh,
            ..base.clone()
        },
        ModelConfig {
            activation: Activation::Sigmoid,
            ..base.clone()
        },
        ModelConfig {
            dropout: 0.0,
            ..base.clone()
        },
        ModelConfig {
            lrn_within_columns: true,
            map_norm: Some(LrnConfig::NET_145_MAPS),
            conv1_order: Conv1Order::ActivationLast,
            conv5_pool_first: true,
            ..base.clone()
        },
        ModelConfig {
            conv1_window: Conv1Window::Seven,
            ..base.clone()
        },
        ModelConfig {
            removed_conv: Some(2),
            ..base.clone()
        },
        ModelConfig {
            removed_conv: Some(4),
            ..base.clone()
        },
    ] {
        check_directional(&config);
    }
}

/// Fig. 1's network with activations that pass on gradients of a useful size.
pub(crate) fn fig1() -> ModelConfig {
    let base = small(ModelConfig::fig1());
    ModelConfig {
        width: 0.25,
        init: InitConfig {
            std: 0.1,
            std_conv1: Some(0.02),
            std_middle: 0.1,
            bias: 0.0,
        },
        ..base
    }
}

fn step_bits(network: &mut Network, rows: usize) -> (StepOutput, Vec<Vec<u32>>) {
    let output = network
        .train_step(&images(rows, 5), &labels(rows), KEY)
        .unwrap();
    let bits = |values: &Vec<f32>| values.iter().map(|v| v.to_bits()).collect();
    (output, network.gradients().iter().map(bits).collect())
}

#[test]
fn a_step_repeats_to_the_bit() {
    for config in [small(ModelConfig::alexnet()), fig1()] {
        let first = step_bits(&mut network(&config), 21);
        let mut network = network(&config);
        for _ in 0..5 {
            assert_eq!(step_bits(&mut network, 21), first);
        }
    }
}

#[test]
fn used_buffers_change_nothing() {
    for config in [small(ModelConfig::alexnet()), fig1()] {
        let fresh = step_bits(&mut network(&config), 5);
        let mut network = network(&config);
        step_bits(&mut network, 19);
        network.logits(&images(9, 8)).unwrap();
        assert_eq!(step_bits(&mut network, 5), fresh);
    }
}

#[test]
fn logits_do_not_depend_on_the_batch() {
    let mut network = network(&small(ModelConfig::alexnet()));
    let images = images(20, 1);
    let together = network.logits(&images).unwrap().to_vec2::<f32>().unwrap();
    for (row, image) in images.chunks(64 * 64 * 3).enumerate() {
        let alone = network.logits(image).unwrap().to_vec2::<f32>().unwrap();
        for (a, b) in alone[0].iter().zip(&together[row]) {
            assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "row {row}: {a} {b}");
        }
    }
}

#[test]
fn without_dropout_the_loss_is_that_of_the_logits() {
    let config = ModelConfig {
        dropout: 0.0,
        ..small(ModelConfig::alexnet())
    };
    let mut network = network(&config);
    let (images, labels) = (images(4, 1), labels(4));
    let output = network.train_step(&images, &labels, KEY).unwrap();
    let logits = network.logits(&images).unwrap().to_vec2::<f32>().unwrap();
    let loss = |(row, &label): (&Vec<f32>, &i64)| {
        let sum: f64 = row.iter().map(|&v| f64::from(v).exp()).sum();
        sum.ln() - f64::from(row[label as usize])
    };
    let expected = logits.iter().zip(&labels).map(loss).sum::<f64>() / 4.0;
    assert!(
        (output.loss - expected).abs() < 1e-6,
        "{} {expected}",
        output.loss
    );
}

#[test]
fn dropout_depends_on_the_step_and_masks_can_be_given() {
    let mut network = network(&small(ModelConfig::alexnet()));
    let (images, labels) = (images(4, 1), labels(4));
    let first = network.train_step(&images, &labels, KEY).unwrap();
    let other = DropoutKey { step: 2, ..KEY };
    assert_ne!(
        network.train_step(&images, &labels, other).unwrap().loss,
        first.loss
    );
    let hidden = network
        .model()
        .parameters()
        .iter()
        .find(|p| p.name() == "fc6.bias")
        .unwrap()
        .len();
    let zeros = vec![vec![0.0; 4 * hidden]; 2];
    let masked = network
        .train_step_with(&images, &labels, Masks::Given(&zeros))
        .unwrap();
    assert!(
        (masked.loss - 7_f64.ln()).abs() < 1e-6,
        "fc8 sees nothing: {}",
        masked.loss
    );
}

#[test]
fn learns_a_batch_by_heart() {
    for base in [ModelConfig::alexnet(), ModelConfig::alexnet_owt()] {
        let config = ModelConfig {
            dropout: 0.0,
            ..small(base)
        };
        let mut network = network(&config);
        let mut sgd = Sgd::new(network.model(), SgdConfig::default());
        let (images, labels) = (images(16, 1), labels(16));
        let rates = SgdConfig::default().rates(0.005);
        let mut last = None;
        for step in 0..150 {
            last = Some(
                network
                    .train_step(&images, &labels, DropoutKey { seed: 1, step })
                    .unwrap(),
            );
            network.update(&mut sgd, &rates).unwrap();
        }
        let last = last.unwrap();
        assert!(
            last.loss < 0.5 * 7_f64.ln(),
            "{last:?} of {:?}",
            config.variant
        );
    }
}

#[test]
fn the_update_is_the_rule_of_the_source() {
    let config = small(ModelConfig::alexnet());
    let mut network = network(&config);
    let mut sgd = Sgd::new(network.model(), SgdConfig::default());
    let before: Vec<Vec<f32>> = network
        .model()
        .parameters()
        .iter()
        .map(|p| p.values().to_vec())
        .collect();
    let lr = 0.01;
    let rates = SgdConfig::default().rates(lr);
    let mut velocities: Vec<Vec<f32>> = before.iter().map(|w| vec![0.0; w.len()]).collect();
    let mut weights = before;
    for step in 0..3 {
        network
            .train_step(&images(2, step), &labels(2), DropoutKey { seed: 1, step })
            .unwrap();
        network.update(&mut sgd, &rates).unwrap();
        for (i, gradient) in network.gradients().iter().enumerate() {
            let bias = i % 2 == 1;
            let (rate, decay) = if bias { (2.0 * lr, 0.0) } else { (lr, 5e-4) };
            for ((w, v), g) in weights[i].iter_mut().zip(&mut velocities[i]).zip(gradient) {
                *v = 0.9 * *v - decay * rate * *w - rate * g;
                *w += *v;
            }
            assert_eq!(
                *network.model().parameters()[i].values(),
                weights[i][..],
                "parameter {i}"
            );
        }
    }
    for ((name, tensor), velocity) in sgd.state().unwrap().iter().zip(&velocities) {
        assert!(name.starts_with("velocity."));
        assert_eq!(
            &tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            velocity
        );
    }
}

#[test]
fn wrong_batches_are_named() {
    let mut network = network(&small(ModelConfig::alexnet()));
    let message = network
        .train_step(&images(2, 1), &[0, 7], KEY)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "label 7 in row 1 of the batch; the network has 7 classes"
    );
    let message = network
        .train_step(&images(2, 1), &[0], KEY)
        .unwrap_err()
        .to_string();
    assert!(message.contains("expected 12288"), "{message}");
    assert!(network.train_step(&[], &[], KEY).is_err());
    assert!(network.logits(&[1.0]).is_err());
}

#[test]
fn parameters_have_the_papers_names_and_counts() {
    let model = Model::new(&ModelConfig::alexnet(), 1).unwrap();
    let names: Vec<&str> = model.parameters().iter().map(|p| p.name()).collect();
    assert_eq!(names[..3], ["conv1.weight", "conv1.bias", "conv2.weight"]);
    assert_eq!(names[14..], ["fc8.weight", "fc8.bias"]);
    let total: usize = model.parameters().iter().map(|p| p.len()).sum();
    assert_eq!(total, 60_965_224);
    assert_eq!(model.parameters()[2].tensor().dims(), [256, 5, 5, 48]);
}

#[test]
fn a_relu_on_either_side_of_a_max_pool_is_the_same() {
    let base = small(ModelConfig::alexnet());
    let swapped = ModelConfig {
        conv5_pool_first: true,
        ..base.clone()
    };
    let [a, b] = [base, swapped].map(|config| {
        let mut network = network(&config);
        let output = network.train_step(&images(3, 1), &labels(3), KEY).unwrap();
        (output, network.gradients().to_vec())
    });
    assert!(a == b);
}
