//! Whole networks: a step's loss, gradients and update against the CPU's, and going on from a state.

#[cfg(feature = "nccl")]
pub(super) mod several;
pub(super) mod tensors;

use std::sync::Arc;

use shardmill_loader::{Area, Normalize};

use crate::compute::{CudaOptions, Precision};
use crate::cpu::Network;
use crate::cuda::kernels::Affine;
use crate::cuda::{AsPixels, Pixels};
use crate::engine::{CudaEngine, Engine};
use crate::net::config::{Activation, Conv1Window, LrnConfig, ModelConfig};
use crate::net::mean_image::{MeanCut, MeanImage};
use crate::net::sgd::{Sgd, SgdConfig};
use crate::net::{DropoutKey, Model, ModelError, TrainState};
use crate::recipe::setup::Setup;
use crate::run::error::TrainError;
use crate::tools::check::comparisons::{Comparisons, same_bits};
use crate::tools::check::numbers;

/// Images of a step: no multiple of anything.
const ROWS: usize = 11;

/// The learning rate of the steps compared.
const LR: f32 = 0.01;

/// What is allowed after a whole network forward and backward.
struct Tolerance {
    loss: f64,
    /// Of the logits, over the largest value.
    logits: f64,
    /// Of gradients and moved parameters: in f32 over the largest value, else in length.
    ///
    /// Where products are rounded, ReLUs and pools choose otherwise among values that are nearly equal,
    /// and each such choice moves whole terms of the gradients below it. With products that are exact
    /// except for the rounding of their factors, conv1's gradient differs by 0.10 of its length in tf32
    /// and 0.41 in bf16; a gradient that has nothing to do with the CPU's differs by 1.4.
    gradient: f64,
}

const fn tolerance(precision: Precision) -> Tolerance {
    let (loss, logits, gradient) = match precision {
        Precision::F32 => (1e-5, 1e-3, 1e-3),
        // Eight layers of products of 11 bits.
        Precision::Tf32 => (2e-3, 3e-2, 0.2),
        Precision::Bf16 => (2e-2, 1e-1, 0.6),
    };
    Tolerance {
        loss,
        logits,
        gradient,
    }
}

/// The means of the channels.
const MEAN: [f32; 3] = [121.0, 117.0, 104.0];

/// By how much records are larger than the network's window.
const MARGIN: usize = 8;

/// A batch of random bytes with noise, in windows anywhere in records, every other one mirrored.
struct Random {
    images: Vec<u8>,
    shifts: Vec<[f32; 3]>,
    areas: Vec<Area>,
    labels: Vec<i64>,
}

impl Random {
    fn new(config: &ModelConfig, seed: u64, rows: usize) -> Self {
        let len = rows * config.input_size * config.input_size * 3;
        let byte = |value: f32| ((value + 1.0) * 127.5) as u8;
        let shifts = numbers(seed + 1, rows * 3);
        Self {
            images: numbers(seed, len).into_iter().map(byte).collect(),
            shifts: shifts.as_chunks().0.to_vec(),
            areas: (0..rows)
                .map(|row| Area {
                    top: (row % (MARGIN + 1)) as u32,
                    left: (row * 5 % (MARGIN + 1)) as u32,
                    height: config.input_size as u32,
                    width: config.input_size as u32,
                    flip: row % 2 == 1,
                })
                .collect(),
            labels: (0..rows)
                .map(|row| (row * 5 % config.classes) as i64)
                .collect(),
        }
    }

    /// The values that the CPU's network is given.
    fn values(&self, mean: Option<&MeanImage>) -> Vec<f32> {
        let normalize = Normalize::mean(MEAN);
        let affine = Affine::of(normalize);
        let len = self.images.len() / self.labels.len();
        let value = |(i, &byte): (usize, &u8)| {
            let channel = i % 3;
            affine.apply(byte, channel, self.shifts[i / len][channel])
        };
        let values: Vec<f32> = self.images.iter().enumerate().map(value).collect();
        let Some(mean) = mean else {
            return values;
        };
        let difference = mean.difference(&normalize);
        let mut inputs = vec![0.0; values.len()];
        let pairs = values.chunks_exact(len).zip(inputs.chunks_exact_mut(len));
        for ((from, to), area) in pairs.zip(&self.areas) {
            mean.shift(&difference, *area, area.width as usize, from, to);
        }
        inputs
    }
}

impl AsPixels for Random {
    fn pixels(&self) -> Pixels<'_> {
        Pixels {
            images: &self.images,
            shifts: &self.shifts,
            areas: &self.areas,
            labels: &self.labels,
        }
    }
}

/// A mean image of records around the network's window, for the networks that get one.
fn mean_image(config: &ModelConfig) -> Option<Arc<MeanImage>> {
    let cut = config.lrn_within_columns.then_some(MeanCut::Center)?;
    let side = config.input_size + MARGIN;
    let values = numbers(21, side * side * 3);
    let values = values.into_iter().map(|value| 120.0 + 40.0 * value);
    Some(Arc::new(MeanImage::new(side, values.collect(), cut)))
}

/// Networks of every kind of layer, narrow enough for the CPU to keep up. Net 145's has a mean image.
fn networks() -> Vec<(&'static str, ModelConfig)> {
    let narrow = |config: ModelConfig| ModelConfig {
        width: 0.25,
        classes: 10,
        ..config
    };
    let tanh = ModelConfig {
        activation: Activation::Tanh,
        columns: 1,
        input_size: 99,
        ..ModelConfig::alexnet()
    };
    let seven = ModelConfig {
        conv1_window: Conv1Window::Seven,
        input_size: 99,
        ..ModelConfig::alexnet()
    };
    // In bf16 too a column's channels are whole packs of 16 bytes, which they are not at a quarter. The normalisation is
    // so strong that neighbours across the border of the columns count.
    let half = ModelConfig {
        width: 0.5,
        input_size: 67,
        lrn: ModelConfig::alexnet()
            .lrn
            .map(|lrn| LrnConfig { alpha: 1.0, ..lrn }),
        ..narrow(ModelConfig::alexnet())
    };
    let mut all = vec![
        ("alexnet", narrow(ModelConfig::alexnet())),
        ("alexnet, half as wide, strong norms", half),
        ("alexnet-owt", narrow(ModelConfig::alexnet_owt())),
        ("alexnet, tanh, one column, 99x99", narrow(tanh)),
        ("alexnet, conv1 of 7x7, 99x99", narrow(seven)),
    ];
    let net145 = Setup::named("net145").expect("a known name");
    all.push(("net 145", narrow(net145.model)));
    all
}

/// The state before the first step, with a mean image for the networks that get one.
fn train_state(config: &ModelConfig, seed: u64) -> Result<TrainState, ModelError> {
    Ok(TrainState {
        mean_image: mean_image(config),
        ..TrainState::new(Model::new(config, seed)?, SgdConfig::default())
    })
}

fn engine(options: CudaOptions, config: &ModelConfig, seed: u64) -> Result<CudaEngine, TrainError> {
    let mut engine = CudaEngine::new(options, train_state(config, seed)?, ROWS)?;
    engine.set_normalization(Normalize::mean(MEAN))?;
    Ok(engine)
}

/// One step of every network, on the GPU and on the CPU.
pub(super) fn compare(options: CudaOptions, tally: &mut Comparisons) -> Result<(), TrainError> {
    let t = tolerance(options.precision);
    let name = options.precision.name();
    let backward = match options.precision {
        Precision::F32 => Comparisons::compare,
        Precision::Tf32 | Precision::Bf16 => Comparisons::compare_length,
    };
    for (what, config) in networks() {
        let batch = Arc::new(Random::new(&config, 3, ROWS));
        let mut gpu = engine(options, &config, 1)?;
        let mut network = Network::new(Model::new(&config, 1)?);
        let mut sgd = Sgd::new(network.model(), SgdConfig::default());
        let key = DropoutKey { seed: 1, step: 0 };
        let images = batch.values(mean_image(&config).as_deref());

        let logits = network.logits(&images)?;
        let logits = logits.flatten_all().and_then(|l| l.to_vec1::<f32>());
        let logits = logits.map_err(ModelError::from)?;
        let found: Vec<f32> = gpu.logits_of_pixels(&batch)?.concat();
        tally.compare(
            &format!("logits of {what}"),
            name,
            &found,
            &logits,
            t.logits,
        );

        let expected = network.train_step(&images, &batch.labels, key)?;
        gpu.accumulate_pixels(&batch, key, None)?;
        for (number, parameter) in network.model().parameters().iter().enumerate() {
            let found = gpu.read_gradient(number)?;
            let own = &network.gradients()[number];
            let title = format!("gradients of {what}");
            backward(tally, &title, name, &found, own, t.gradient);
            tally.expect(
                &format!("{}'s gradient is not 0", parameter.name()),
                found.iter().any(|v| *v != 0.0),
            );
        }
        let rate = SgdConfig::default();
        gpu.step(&|p| Some(rate.rate(p.kind(), LR)))?;
        network.update(&mut sgd, rate.rates(LR))?;
        let metrics = gpu.drain_metrics()?;
        let loss = metrics.first().map_or(f64::NAN, |step| step.output.loss);
        let title = format!("loss of {what}");
        let (found, own) = ([loss as f32], [expected.loss as f32]);
        tally.compare(&title, name, &found, &own, t.loss);
        let moved = gpu.host_state()?;
        let parameters = network.model().parameters();
        for (found, own) in moved.model.parameters().iter().zip(parameters) {
            let title = format!("parameters of {what} after a step");
            let (found, own) = (found.values(), own.values());
            backward(tally, &title, name, &found, &own, t.gradient);
        }
    }
    Ok(())
}

/// Six steps at once, and three after three others from the host's copy of the state: the same bits.
/// Two batches a step, so that sums of gradients are in it.
pub(super) fn resume(options: CudaOptions, tally: &mut Comparisons) -> Result<(), TrainError> {
    let options = CudaOptions {
        deterministic: true,
        ..options
    };
    let config = ModelConfig {
        width: 0.25,
        classes: 10,
        ..ModelConfig::alexnet()
    };
    let mut straight = engine(options, &config, 2)?;
    steps(&mut straight, &config, 0..6)?;
    let mut first = engine(options, &config, 2)?;
    steps(&mut first, &config, 0..3)?;
    let state = first.host_state()?;
    let mut copy = Model::new(&config, 77)?;
    for parameter in state.model.parameters() {
        copy.set_parameter(parameter.name(), parameter.tensor())?;
    }
    let mut copy = TrainState::new(copy, *state.sgd.config());
    for (name, tensor) in state.sgd.state()? {
        copy.sgd.set_state(&name, &tensor)?;
    }
    drop(first);
    let mut second = CudaEngine::new(options, copy, ROWS)?;
    second.set_normalization(Normalize::mean(MEAN))?;
    steps(&mut second, &config, 3..6)?;
    let one = straight.host_state()?.model;
    let other = second.host_state()?.model;
    let mut pairs = one.parameters().iter().zip(other.parameters());
    let same = pairs.all(|(one, other)| same_bits(&one.values(), &other.values()));
    let title = format!(
        "the same bits after going on from a state, {}, deterministic",
        options.precision.name()
    );
    tally.expect(&title, same);
    Ok(())
}

fn steps(
    engine: &mut CudaEngine,
    config: &ModelConfig,
    range: std::ops::Range<u64>,
) -> Result<(), TrainError> {
    let rate = SgdConfig::default();
    for step in range {
        for half in 0..2 {
            let batch = Random::new(config, 100 + 2 * step + half, ROWS - half as usize);
            let batch = Arc::new(batch);
            let key = DropoutKey {
                seed: 5,
                step: 2 * step + half,
            };
            engine.accumulate_pixels(&batch, key, Some(0.5))?;
        }
        engine.step(&|p| Some(rate.rate(p.kind(), LR)))?;
    }
    Ok(())
}
