//! The network on candle's CPU device, against the checkpoint that it comes from and the engine's evaluation of it.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, safetensors};
use shardmill_loader::{Batch, Dataset, Layout, Loader, Output, Policy};
use shardmill_trainer::internals::{Model, Network as Engine};
use shardmill_trainer::settings::Mean;
use shardmill_trainer::{
    Checkpoint, EvalOptions, ModelConfig, Network, TrainError, View, evaluate, train,
};
use tempfile::TempDir;

use crate::candle::tensor;
use crate::numerics::oracle::numbers;
use crate::runs::dataset::{CLASSES, options, write};

/// Side of the network's images.
const SIDE: usize = 64;

fn config() -> ModelConfig {
    ModelConfig {
        classes: 7,
        width: 0.1,
        input_size: SIDE,
        ..ModelConfig::alexnet()
    }
}

fn network(seed: u64) -> Network {
    Network::new(&config(), seed, &Device::Cpu).unwrap()
}

/// More images than go through at once.
fn images() -> Tensor {
    let rows = 130;
    let values: Vec<f32> = numbers(rows * SIDE * SIDE * 3, 5);
    let values: Vec<f32> = values.iter().map(|value| value * 100.0).collect();
    tensor(&values, rows, SIDE)
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

/// A short run with this mean; gives the folder, the dataset and the last checkpoint.
fn trained(mean: Mean) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = options(&shards, &run);
    options.recipe.mean = mean;
    options.max_steps = Some(3);
    let last = train(&options).unwrap().last;
    (folder, shards, last)
}

/// The centre views of the split to validate on, as bytes, in one batch.
fn pixels(shards: &Path) -> Batch {
    let dataset = Dataset::open(shards, "val").unwrap();
    let loader = Loader::builder(dataset)
        .batch_size(9)
        .policy(Policy::Center { crop: SIDE as u32 })
        .output(Output::U8)
        .layout(Layout::Nhwc)
        .shuffle(false)
        .build()
        .unwrap();
    let mut batches = loader.epoch(0);
    batches.next().unwrap().unwrap()
}

/// The mean loss of a softmax, as an evaluation takes it.
fn loss(logits: &Tensor, labels: &[i64]) -> f64 {
    let mut sum = 0.0;
    for (row, &label) in logits.to_vec2::<f32>().unwrap().iter().zip(labels) {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers = row
            .iter()
            .map(|&logit| libm::exp(f64::from(logit) - f64::from(highest)));
        let powers: Vec<f64> = powers.collect();
        sum -= libm::log(powers[label as usize] / powers.iter().sum::<f64>());
    }
    sum / labels.len() as f64
}

#[test]
fn its_logits_of_bytes_have_the_loss_of_an_evaluation_to_the_bit() {
    for mean in [Mean::Channel, Mean::Image, Mean::ImageCenter] {
        let (_folder, shards, checkpoint) = trained(mean);
        let batch = pixels(&shards);
        let shape = (batch.len(), SIDE, SIDE, 3);
        let pixels = Tensor::from_slice(batch.images_u8(), shape, &Device::Cpu).unwrap();
        let mut network = Network::from_checkpoint(&checkpoint, &Device::Cpu).unwrap();
        let images = network.normalize(&pixels).unwrap();
        let logits = network.logits(&images).unwrap();
        assert_eq!(logits.dims(), [9, CLASSES.len()]);
        let mut eval = EvalOptions::new(&checkpoint, &shards);
        eval.views = vec![View::Center];
        let expected = evaluate(&eval).unwrap().center.unwrap();
        assert_eq!(expected.samples, 9);
        assert_eq!(loss(&logits, batch.labels()), expected.loss, "{mean:?}");
        let floats = pixels.to_dtype(DType::F32).unwrap();
        assert_eq!(
            bits(&network.normalize(&floats).unwrap()),
            bits(&images),
            "f32 pixels"
        );
    }
}

#[test]
fn its_logits_are_those_of_the_engine_to_the_bit_wherever_the_images_lie() {
    let mut engine = Engine::new(Model::new(&config(), 1).unwrap());
    let mut network = network(1);
    let mut expected = |images: &Tensor| {
        let values = images.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        bits(&engine.logits(&values).unwrap())
    };
    let images = images();
    assert_eq!(bits(&network.logits(&images).unwrap()), expected(&images));

    // The last images alone, in the memory of all.
    let last = images.narrow(0, 100, 30).unwrap();
    let rest = expected(&last);
    assert_eq!(bits(&network.logits(&last).unwrap()), rest);

    // Values in another order in memory.
    let turned = last.transpose(1, 2).unwrap().contiguous().unwrap();
    let turned = turned.transpose(1, 2).unwrap();
    assert!(!turned.is_contiguous());
    assert_eq!(bits(&network.logits(&turned).unwrap()), rest);
}

#[test]
fn parameters_have_the_names_shapes_and_values_of_the_file() {
    let (_folder, _shards, path) = trained(Mean::Image);
    let network = Network::from_checkpoint(&path, &Device::Cpu).unwrap();
    let mut file = safetensors::load(&path, &Device::Cpu).unwrap();
    file.retain(|name, _| !name.starts_with("velocity.") && name != "mean_image");
    assert_eq!(network.parameters().len(), 16);
    assert_eq!(file.len(), 16);
    for (name, tensor) in network.parameters() {
        let expected = &file[name];
        assert_eq!(tensor.dims(), expected.dims(), "{name}");
        assert_eq!(tensor.dtype(), DType::F32, "{name}");
        assert_eq!(bits(tensor), bits(expected), "{name}");
    }
    let names = network.parameters().iter().map(|(name, _)| name.as_str());
    let model = Model::new(network.config(), 0).unwrap();
    let expected = model.parameters().iter().map(|parameter| parameter.name());
    assert!(names.eq(expected));
    let state = Checkpoint::peek(&path).unwrap();
    assert_eq!(network.config(), &state.model);
}

#[test]
fn a_parameter_that_is_set_is_seen_in_the_tensors_and_in_the_logits() {
    let (mut network, mut other) = (network(1), network(2));
    let images = images().narrow(0, 0, 3).unwrap();
    let before = bits(&network.logits(&images).unwrap());
    let held = network.parameters().to_vec();
    for (name, tensor) in other.parameters() {
        network.set_parameter(name, tensor).unwrap();
    }
    for ((name, held), (_, tensor)) in held.iter().zip(other.parameters()) {
        assert_eq!(bits(held), bits(tensor), "{name}");
    }
    let after = bits(&network.logits(&images).unwrap());
    assert_ne!(after, before);
    assert_eq!(after, bits(&other.logits(&images).unwrap()));

    // To itself, and back to what another tensor kept.
    for (name, held) in &held {
        network.set_parameter(name, held).unwrap();
    }
    assert_eq!(bits(&network.logits(&images).unwrap()), after);
    let bias = &held[15].1;
    let kept = bias.copy().unwrap();
    let moved = (&kept + 1.0).unwrap();
    network.set_parameter("fc8.bias", &moved).unwrap();
    assert_eq!(bits(bias), bits(&moved));
    assert_ne!(bits(bias), bits(&kept));
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let mut network = network(1);
    let mut message = |tensor: &Tensor| network.logits(tensor).unwrap_err().to_string();
    let zeros = |shape: &[usize], dtype| Tensor::zeros(shape, dtype, &Device::Cpu).unwrap();
    assert_eq!(
        message(&zeros(&[2, 3, SIDE, SIDE], DType::F32)),
        "images: shape [2, 3, 64, 64] where the network needs [rows, 64, 64, 3], with at least one row"
    );
    for shape in [
        &[0, SIDE, SIDE, 3][..],
        &[SIDE, SIDE, 3],
        &[1, SIDE, SIDE + 1, 3],
        &[1, SIDE, SIDE, 4],
    ] {
        assert!(message(&zeros(shape, DType::F32)).contains("where the network needs [rows"));
    }
    let images = [1, SIDE, SIDE, 3];
    assert_eq!(
        message(&zeros(&images, DType::U8)),
        "images: values of type u8 where the network needs f32"
    );
    let error = network.normalize(&zeros(&images, DType::F64)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pixels: values of type f64 where the network needs u8 or f32"
    );

    let mut set = |name: &str, tensor: &Tensor| {
        let result = network.set_parameter(name, tensor);
        result.unwrap_err().to_string()
    };
    let bias = zeros(&[7], DType::F32);
    assert_eq!(set("fc9.bias", &bias), "no parameter is called fc9.bias");
    assert_eq!(
        set("fc7.bias", &bias),
        "fc7.bias: shape [7] where the network needs [408]"
    );
    assert_eq!(
        set("fc8.bias", &zeros(&[7], DType::BF16)),
        "fc8.bias: values of type bf16 where the network needs f32"
    );

    let wrong = ModelConfig {
        input_size: 10,
        ..config()
    };
    let refused = |result: Result<Network, TrainError>| result.err().unwrap().to_string();
    assert!(refused(Network::new(&wrong, 1, &Device::Cpu)).contains("10"));
    let none = Network::from_checkpoint("none.safetensors", &Device::Cpu);
    assert!(refused(none).contains("none.safetensors"));
}
