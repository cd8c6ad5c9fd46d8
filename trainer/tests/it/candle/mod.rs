//! `network`: the network of `train` on a candle device. The rest is about the example `candle_alexnet`, which computes
//! the paper's network with candle's own graph:
//!
//! - `agreement`: the same loss, gradients and training as the network that `train` computes
//! - `program`: what the example does with shards, and with wrong input
//! - `speed`: its speed against that network's, in turns

mod agreement;
#[path = "../../../examples/candle_alexnet.rs"]
#[expect(dead_code, reason = "its main function")]
mod example;
mod network;
mod program;
mod speed;

use candle_core::{Device, Tensor};
use example::network::AlexNet;
use shardmill_trainer::ModelConfig;
use shardmill_trainer::internals::Model;

/// The example's network with the weights of `model`.
fn same_weights(config: &ModelConfig, model: &Model) -> AlexNet {
    let ModelConfig {
        classes,
        input_size,
        width,
        ..
    } = *config;
    let network = AlexNet::new(classes, input_size, width, &Device::Cpu).unwrap();
    assert_eq!(network.parameters.len(), model.parameters().len());
    for (to, from) in network.parameters.iter().zip(model.parameters()) {
        assert_eq!(to.dims(), from.tensor().dims(), "{}", from.name());
        to.set(from.tensor()).unwrap();
    }
    network
}

/// NHWC images as a tensor.
fn tensor(images: &[f32], rows: usize, side: usize) -> Tensor {
    Tensor::from_slice(images, (rows, side, side, 3), &Device::Cpu).unwrap()
}
