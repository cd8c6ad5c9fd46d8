use shardmill_trainer::ModelConfig;
use shardmill_trainer::internals::sgd::{Sgd, SgdConfig};
use shardmill_trainer::internals::{DropoutKey, Model, Network};

use crate::candle::{same_weights, tensor};
use crate::numerics::oracle::{distance, numbers, wide};

/// Two chunks of images and a rest.
const ROWS: usize = 19;

const SIDE: usize = 64;

/// Two columns, with channels in each that minimal filtering takes.
fn config() -> ModelConfig {
    ModelConfig {
        width: 0.2,
        input_size: SIDE,
        classes: 7,
        ..ModelConfig::alexnet()
    }
}

/// The images and labels of a step.
fn batch(step: u64) -> (Vec<f32>, Vec<i64>) {
    let images = numbers(ROWS * SIDE * SIDE * 3, step);
    let labels = (0..ROWS).map(|row| ((row * 3 + step as usize) % 7) as i64);
    (images.iter().map(|v| v * 100.0).collect(), labels.collect())
}

fn key(step: u64) -> DropoutKey {
    DropoutKey { seed: 3, step }
}

fn assert_close(what: &str, found: f64, expected: f64, allowed: f64) {
    let difference = (found - expected).abs() / expected.abs();
    assert!(
        difference < allowed,
        "{what}: {found}, not {expected}: {difference:e} of it"
    );
}

fn values(tensor: &candle_core::Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn loss_and_gradients_are_those_of_the_engine() {
    let config = config();
    let model = Model::new(&config, 1).unwrap();
    let plain = same_weights(&config, &model);
    let mut network = Network::new(model);
    let (images, labels) = batch(0);
    let expected = network.train_step(&images, &labels, key(0)).unwrap();

    let scores = plain
        .forward(&tensor(&images, ROWS, SIDE), &labels, key(0))
        .unwrap();
    let gradients = scores.get(0).unwrap().backward().unwrap();
    let scores = scores.to_vec1::<f32>().unwrap();
    assert_close("loss", f64::from(scores[0]), expected.loss, 1e-5);
    assert_eq!(
        scores[1..],
        [expected.top1 as f32, expected.top5 as f32],
        "hits"
    );
    let pairs = network.model().parameters().iter().zip(&plain.parameters);
    for ((parameter, variable), expected) in pairs.zip(network.gradients()) {
        let found = values(gradients.get(variable).unwrap());
        assert!(expected.iter().any(|&g| g != 0.0), "{}", parameter.name());
        let distance = distance(&found, &wide(expected));
        assert!(distance < 1e-5, "{}: {distance:e}", parameter.name());
    }
}

#[test]
fn ten_steps_lead_where_the_engines_do() {
    let config = config();
    let model = Model::new(&config, 1).unwrap();
    let plain = same_weights(&config, &model);
    let starts: Vec<Vec<f32>> = model
        .parameters()
        .iter()
        .map(|p| p.values().to_vec())
        .collect();
    let mut sgd = Sgd::new(&model, SgdConfig::default());
    let mut network = Network::new(model);
    let lr = 2e-5;
    for step in 0..10 {
        let (images, labels) = batch(step);
        let expected = network.train_step(&images, &labels, key(step)).unwrap();
        let rates = SgdConfig::default().rates(lr);
        network.update(&mut sgd, rates).unwrap();

        let scores = plain
            .forward(&tensor(&images, ROWS, SIDE), &labels, key(step))
            .unwrap();
        let loss = scores.get(0).unwrap();
        plain.update(&loss.backward().unwrap(), lr).unwrap();
        let loss = f64::from(loss.to_scalar::<f32>().unwrap());
        assert_close(&format!("loss of step {step}"), loss, expected.loss, 1e-4);
    }
    let pairs = network.model().parameters().iter().zip(&plain.parameters);
    for ((parameter, variable), start) in pairs.zip(&starts) {
        let moved =
            |values: &[f32]| -> Vec<f32> { values.iter().zip(start).map(|(a, b)| a - b).collect() };
        let expected = moved(&parameter.values());
        assert!(expected.iter().any(|&m| m != 0.0), "{}", parameter.name());
        let distance = distance(&moved(&values(variable)), &wide(&expected));
        assert!(distance < 1e-4, "{}: {distance:e}", parameter.name());
    }
}
