//! Fixtures of `tests/reference/alexnet_step.py` and `fig1_step.py`.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use shardmill_trainer::internals::ops::activation::{self, Epilogue};
use shardmill_trainer::internals::ops::{avg_pool2d, conv2d, cross_entropy, lrn, max_pool2d};
use shardmill_trainer::internals::sgd::{Sgd, SgdConfig};
use shardmill_trainer::internals::shape::{ConvShape, PoolShape};
use shardmill_trainer::internals::{DropoutKey, Masks, Model, Network};
use shardmill_trainer::settings::{Activation, LrnConfig};
use shardmill_trainer::{ModelConfig, Setup};

use crate::numerics::oracle::{distance, wide};

/// Of the norm of every tensor: the bound for gradients in f32.
const TOLERANCE: f64 = 1e-4;

/// For networks without dropout any key does.
const KEY: DropoutKey = DropoutKey { seed: 1, step: 1 };

struct Fixture(std::collections::HashMap<String, Tensor>);

impl Fixture {
    fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/fixtures");
        Self::at(&folder, name)
    }

    fn at(folder: &Path, name: &str) -> Self {
        let path = folder.join(format!("{name}.safetensors"));
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap())
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    fn values(&self, name: &str) -> Vec<f32> {
        let flat = self.tensor(name).flatten_all().unwrap();
        flat.to_dtype(DType::F32).unwrap().to_vec1().unwrap()
    }

    fn integers(&self, name: &str) -> Vec<i64> {
        self.tensor(name).to_vec1().unwrap()
    }

    fn number(&self, name: &str) -> f64 {
        self.tensor(name).to_vec1::<f64>().unwrap()[0]
    }

    fn check(&self, name: &str, found: &[f32], tolerance: f64) {
        let distance = distance(found, &wide(&self.values(name)));
        assert!(
            distance <= tolerance,
            "{name} differs by {distance:e} of its norm"
        );
    }
}

#[test]
fn conv2d_agrees() {
    let fixture = Fixture::open("operations");
    let shape = ConvShape {
        height: 9,
        width: 8,
        inputs: 4,
        outputs: 6,
        kernel: 5,
        stride: 2,
        before: 0,
        after: 3,
        groups: 2,
    };
    let [image, weight, bias] =
        ["image", "weight", "bias"].map(|n| fixture.values(&format!("conv2d.{n}")));
    let mut scratch = vec![0.0; conv2d::scratch_len(&shape)];
    let mut output = vec![0.0; shape.output_len()];
    conv2d::forward(
        &shape,
        &image,
        &weight,
        Epilogue::new(&bias, Some(Activation::Relu)),
        &mut scratch,
        &mut output,
    );
    fixture.check("conv2d.output", &output, 1e-6);

    let mut gradient = fixture.values("conv2d.gradient");
    activation::backward(Activation::Relu, &output, &mut gradient);
    let mut image_gradient = vec![0.0; image.len()];
    conv2d::backward_input(
        &shape,
        &weight,
        &gradient,
        &mut scratch,
        &mut image_gradient,
    );
    fixture.check("conv2d.image_gradient", &image_gradient, 1e-6);
    let (mut weight_gradient, mut bias_gradient) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
    conv2d::backward_weight(
        &shape,
        &image,
        &gradient,
        &mut scratch,
        &mut weight_gradient,
        &mut bias_gradient,
    );
    fixture.check("conv2d.weight_gradient", &weight_gradient, 1e-6);
    fixture.check("conv2d.bias_gradient", &bias_gradient, 1e-6);
}

#[test]
fn max_pool2d_agrees_where_values_are_equal_too() {
    let fixture = Fixture::open("operations");
    let shape = PoolShape {
        height: 9,
        width: 7,
        channels: 19,
        kernel: 3,
        stride: 2,
        cut: false,
    };
    let image = fixture.values("max_pool2d.image");
    let mut output = vec![0.0; shape.output_len()];
    let mut winners = vec![0; shape.output_len()];
    max_pool2d::forward(&shape, &image, &mut output, &mut winners);
    fixture.check("max_pool2d.output", &output, 0.0);
    let mut image_gradient = vec![0.0; image.len()];
    let gradient = fixture.values("max_pool2d.gradient");
    max_pool2d::backward(&shape, &winners, &gradient, &mut image_gradient);
    fixture.check("max_pool2d.image_gradient", &image_gradient, 1e-6);
}

#[test]
fn pools_whose_windows_are_cut_agree() {
    let fixture = Fixture::open("fig1");
    let shape = PoolShape {
        height: 8,
        width: 6,
        channels: 19,
        kernel: 3,
        stride: 2,
        cut: true,
    };
    let image = fixture.values("pool.image");
    let gradient = |kind: &str| fixture.values(&format!("pool.{kind}.gradient"));
    let mut output = vec![f32::NAN; shape.output_len()];
    let mut image_gradient = vec![f32::NAN; image.len()];
    avg_pool2d::forward(&shape, &image, &mut output);
    fixture.check("pool.average.output", &output, 1e-6);
    avg_pool2d::backward(&shape, &gradient("average"), &mut image_gradient);
    fixture.check("pool.average.image_gradient", &image_gradient, 1e-6);
    let mut winners = vec![0; shape.output_len()];
    max_pool2d::forward(&shape, &image, &mut output, &mut winners);
    fixture.check("pool.max.output", &output, 0.0);
    max_pool2d::backward(&shape, &winners, &gradient("max"), &mut image_gradient);
    fixture.check("pool.max.image_gradient", &image_gradient, 1e-6);
}

#[test]
fn lrn_agrees() {
    check_lrn("lrn", 24);
}

#[test]
fn lrn_within_columns_agrees() {
    // Two columns of 24 channels.
    check_lrn("lrn_columns", 12);
}

fn check_lrn(name: &str, channels: usize) {
    let fixture = Fixture::open("operations");
    let config = LrnConfig {
        alpha: 1e-2,
        ..LrnConfig::default()
    };
    let of = |part: &str| format!("{name}.{part}");
    let image = fixture.values(&of("image"));
    let mut scratch = vec![0.0; lrn::scratch_len(channels, &config)];
    let mut output = vec![0.0; image.len()];
    lrn::forward(&config, channels, &image, &mut scratch, &mut output);
    fixture.check(&of("output"), &output, 1e-6);
    let gradient = fixture.values(&of("gradient"));
    lrn::backward(
        &config,
        channels,
        &image,
        &gradient,
        &mut scratch,
        &mut output,
    );
    fixture.check(&of("image_gradient"), &output, 1e-6);
}

#[test]
fn cross_entropy_agrees() {
    let fixture = Fixture::open("operations");
    let logits = fixture.values("cross_entropy.logits");
    let labels = fixture.integers("cross_entropy.labels");
    let mut gradient = vec![0.0; logits.len()];
    let scores = cross_entropy::score(&logits, 11, &labels, &mut gradient);
    let loss = fixture.number("cross_entropy.loss");
    assert!(
        (scores.loss / 7.0 / loss - 1.0).abs() < 1e-6,
        "{} {loss}",
        scores.loss / 7.0
    );
    assert_eq!(
        [scores.top1 as i64, scores.top5 as i64],
        fixture.integers("cross_entropy.hits")[..]
    );
    fixture.check("cross_entropy.logits_gradient", &gradient, 1e-6);
}

/// A network with the fixture's weights.
fn network(fixture: &Fixture, config: &ModelConfig) -> Network {
    let mut model = Model::new(config, 1).unwrap();
    let names: Vec<String> = model
        .parameters()
        .iter()
        .map(|p| p.name().to_owned())
        .collect();
    for name in &names {
        model.set_parameter(name, fixture.tensor(name)).unwrap();
    }
    Network::new(model)
}

fn check_loss(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found / expected - 1.0).abs() < tolerance,
        "loss {found}, PyTorch's {expected}"
    );
}

/// Runs the fixture's batch with the given masks, and compares everything with what `expected` has.
fn step_agrees(fixture: &Fixture, expected: &Fixture, config: &ModelConfig, case: &str) {
    let mut network = network(fixture, config);
    let (images, labels) = (fixture.values("images"), fixture.integers("labels"));
    let output = if case == "masked" {
        let masks = [fixture.values("mask0"), fixture.values("mask1")];
        network
            .train_step_with(&images, &labels, Masks::Given(&masks))
            .unwrap()
    } else {
        let logits = network.logits(&images).unwrap().flatten_all().unwrap();
        expected.check("plain.logits", &logits.to_vec1::<f32>().unwrap(), TOLERANCE);
        network.train_step(&images, &labels, KEY).unwrap()
    };
    check_loss(output.loss, expected.number(&format!("{case}.loss")), 1e-5);
    let parameters = network.model().parameters().iter();
    for (parameter, gradient) in parameters.zip(network.gradients()) {
        expected.check(&format!("{case}.{}", parameter.name()), gradient, TOLERANCE);
    }
}

/// Ten steps of SGD with momentum, weight decay and twice the rate for biases.
fn curve_agrees(fixture: &Fixture, expected: &Fixture, config: &ModelConfig) {
    let mut network = network(fixture, config);
    let mut sgd = Sgd::new(network.model(), SgdConfig::default());
    let rates = SgdConfig::default().rates(expected.number("curve.lr") as f32);
    let (images, labels) = (fixture.values("images"), fixture.integers("labels"));
    let losses: Vec<f64> = expected.tensor("curve.losses").to_vec1().unwrap();
    assert_eq!(losses.len(), 10);
    for (number, &loss) in losses.iter().enumerate() {
        let mut labels = labels.clone();
        let rows = labels.len();
        labels.rotate_left(number % rows);
        let output = network.train_step(&images, &labels, KEY).unwrap();
        check_loss(output.loss, loss, 1e-3);
        network.update(&mut sgd, &rates).unwrap();
    }
}

/// A step without dropout, one with the fixture's masks, and ten steps.
fn training_agrees(fixture: &Fixture, config: ModelConfig) {
    let plain = ModelConfig {
        dropout: 0.0,
        ..config.clone()
    };
    step_agrees(fixture, fixture, &plain, "plain");
    step_agrees(fixture, fixture, &config, "masked");
    curve_agrees(fixture, fixture, &plain);
}

/// The same without masks for net 145, whose fixture has what the paper's network has not.
fn net_145_agrees(paper: &Fixture, net_145: &Fixture, config: ModelConfig) {
    let plain = ModelConfig {
        dropout: 0.0,
        ..config
    };
    step_agrees(paper, net_145, &plain, "plain");
    curve_agrees(paper, net_145, &plain);
}

/// Net 145's network, as the recipe has it.
fn net_145() -> ModelConfig {
    Setup::named("net145").unwrap().model
}

fn reduced(config: ModelConfig) -> ModelConfig {
    ModelConfig {
        width: 0.02,
        input_size: 64,
        classes: 5,
        ..config
    }
}

#[test]
fn training_the_papers_network_agrees() {
    let config = reduced(ModelConfig::alexnet());
    training_agrees(&Fixture::open("alexnet"), config);
}

#[test]
fn training_net_145_agrees() {
    let [paper, net_145_fixture] = ["alexnet", "net145"].map(Fixture::open);
    net_145_agrees(&paper, &net_145_fixture, reduced(net_145()));
}

#[test]
fn training_torchvisions_network_agrees() {
    let config = reduced(ModelConfig::alexnet_owt());
    training_agrees(&Fixture::open("alexnet-owt"), config);
}

/// One step's logits, loss and gradients, and ten steps, with ReLU and with tanh.
#[test]
fn training_fig1s_network_agrees() {
    let fixture = Fixture::open("fig1");
    let (images, labels) = (fixture.values("images"), fixture.integers("labels"));
    for (name, activation) in [("relu", Activation::Relu), ("tanh", Activation::Tanh)] {
        let of = |part: &str| format!("{name}.{part}");
        let config = ModelConfig {
            width: 0.25,
            classes: 5,
            activation,
            ..ModelConfig::fig1()
        };
        let mut network = network(&fixture, &config);
        let logits = network.logits(&images).unwrap().flatten_all().unwrap();
        let logits = logits.to_vec1::<f32>().unwrap();
        fixture.check(&of("logits"), &logits, TOLERANCE);
        let config = SgdConfig {
            weight_decay: 0.0,
            ..SgdConfig::default()
        };
        let mut sgd = Sgd::new(network.model(), config);
        let rates = config.rates(fixture.number("lr") as f32);
        let losses: Vec<f64> = fixture.tensor(&of("losses")).to_vec1().unwrap();
        assert_eq!(losses.len(), 10);
        for (number, &loss) in losses.iter().enumerate() {
            let mut labels = labels.clone();
            let rows = labels.len();
            labels.rotate_left(number % rows);
            let output = network.train_step(&images, &labels, KEY).unwrap();
            check_loss(output.loss, loss, if number == 0 { 1e-5 } else { 1e-3 });
            if number == 0 {
                let parameters = network.model().parameters().iter();
                for (parameter, gradient) in parameters.zip(network.gradients()) {
                    fixture.check(&of(parameter.name()), gradient, TOLERANCE);
                }
            }
            network.update(&mut sgd, &rates).unwrap();
        }
    }
}

/// Run by `just pytorch`, which makes the fixtures: 1.7 GB.
#[test]
#[ignore = "needs the fixtures that `just pytorch` makes"]
fn training_at_the_full_width_agrees() {
    let folder = std::env::var_os("SHARDMILL_PYTORCH_FULL").expect("run by `just pytorch`");
    for (name, config) in [
        ("alexnet", ModelConfig::alexnet()),
        ("alexnet-owt", ModelConfig::alexnet_owt()),
    ] {
        training_agrees(&Fixture::at(Path::new(&folder), name), config);
    }
    let [paper, expected] = ["alexnet", "net145"].map(|n| Fixture::at(Path::new(&folder), n));
    net_145_agrees(&paper, &expected, net_145());
}
