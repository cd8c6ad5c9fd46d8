use std::time::Instant;

use shardmill_trainer::ModelConfig;
use shardmill_trainer::internals::sgd::{Sgd, SgdConfig};
use shardmill_trainer::internals::{DropoutKey, Model, Network};

use crate::candle::{same_weights, tensor};
use crate::numerics::oracle::numbers;

const ROWS: usize = 128;

/// Timed steps of each, after one that is not.
const STEPS: u64 = 12;

/// Least, median and greatest.
fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [
        sorted[0],
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
    ]
}

/// Steps of the paper's network by the example and by what `train` computes, in turns, on all threads
/// (`RAYON_NUM_THREADS`). `just candle-speed` runs it; it takes minutes and 5 GB.
#[test]
#[ignore = "measures and judges nothing, for minutes; run by `just candle-speed`"]
fn speed_against_the_engine() {
    let config = ModelConfig::alexnet();
    let side = config.input_size;
    let images = numbers(ROWS * side * side * 3, 1);
    let labels: Vec<i64> = (0..ROWS as i64).map(|row| row * 7 % 1000).collect();
    let model = Model::new(&config, 1).unwrap();
    let plain = same_weights(&config, &model);
    let mut sgd = Sgd::new(&model, SgdConfig::default());
    let mut network = Network::new(model);
    let lr = 1e-5;
    let mut engine = |step| {
        let start = Instant::now();
        let key = DropoutKey { seed: 1, step };
        network.train_step(&images, &labels, key).unwrap();
        let rates = SgdConfig::default().rates(lr);
        network.update(&mut sgd, rates).unwrap();
        ROWS as f64 / start.elapsed().as_secs_f64()
    };
    let candle = |step| {
        let start = Instant::now();
        let (images, key) = (tensor(&images, ROWS, side), DropoutKey { seed: 1, step });
        let scores = plain.forward(&images, &labels, key).unwrap();
        let gradients = scores.get(0).unwrap().backward().unwrap();
        plain.update(&gradients, lr).unwrap();
        ROWS as f64 / start.elapsed().as_secs_f64()
    };
    let (mut speeds, mut ratios) = ([const { Vec::new() }; 2], Vec::new());
    for step in 0..=STEPS {
        // Each goes first every other time.
        let pair = if step % 2 == 0 {
            let first = engine(step);
            [first, candle(step)]
        } else {
            let first = candle(step);
            [engine(step), first]
        };
        if step > 0 {
            speeds
                .iter_mut()
                .zip(pair)
                .for_each(|(s, speed)| s.push(speed));
            ratios.push(pair[1] / pair[0]);
        }
    }
    for (name, values) in [
        ("engine", &speeds[0]),
        ("candle", &speeds[1]),
        ("ratio", &ratios),
    ] {
        let [least, median, greatest] = spread(values);
        println!("{name:8} median {median:.2}, {least:.2} to {greatest:.2}, n = {STEPS}");
    }
}
