//! Computes the network on the CPU: the operations, the passes over them, and the update.

mod classifier;
mod features;
mod network;
pub mod ops;
pub(crate) mod pool;

use crate::net::layer::Layer;

pub(crate) use features::{CHUNK, single_layer};
pub use network::{Activations, Network};

/// Consecutive layers with the values of their parameters.
#[derive(Clone, Copy)]
struct Part<'a> {
    layers: &'a [Layer],
    /// The weight and the bias of each layer that has them.
    parameters: &'a [&'a [f32]],
}

impl<'a> Part<'a> {
    /// Values per image that come out of the last layer.
    fn output_len(&self) -> usize {
        self.layers.last().map_or(0, Layer::output_len)
    }

    /// The number of layer `index` among those with parameters.
    fn ordinal(&self, index: usize) -> usize {
        let before = self.layers[..index].iter();
        before.filter(|layer| layer.has_parameters()).count()
    }

    /// The weight and the bias of layer `index`.
    fn weight_and_bias(&self, index: usize) -> [&'a [f32]; 2] {
        let first = 2 * self.ordinal(index);
        [self.parameters[first], self.parameters[first + 1]]
    }

    /// The gradients of weight and bias of layer `index` among those of the part's parameters.
    fn gradients_of<'g>(&self, index: usize, gradients: &'g mut [Vec<f32>]) -> [&'g mut [f32]; 2] {
        let first = 2 * self.ordinal(index);
        let pair = gradients.get_disjoint_mut([first, first + 1]);
        pair.expect("two for each layer").map(Vec::as_mut_slice)
    }
}
