//! Consecutive layers with the values of their parameters.

use crate::net::layer::Layer;

/// Consecutive layers with the values of their parameters.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) layers: &'a [Layer],
    /// The weight and the bias of each layer that has them.
    pub(crate) parameters: &'a [&'a [f32]],
}

impl<'a> Part<'a> {
    /// Values per image that come out of the last layer.
    pub(crate) fn output_len(&self) -> usize {
        self.layers.last().map_or(0, Layer::output_len)
    }

    /// The number of layer `index` among those with parameters.
    pub(crate) fn ordinal(&self, index: usize) -> usize {
        let before = self.layers[..index].iter();
        before.filter(|layer| layer.has_parameters()).count()
    }

    /// The weight and the bias of layer `index`.
    pub(crate) fn weight_and_bias(&self, index: usize) -> [&'a [f32]; 2] {
        let first = 2 * self.ordinal(index);
        [self.parameters[first], self.parameters[first + 1]]
    }

    /// The gradients of weight and bias of layer `index` among those of the part's parameters.
    pub(crate) fn gradients_of<'g>(
        &self,
        index: usize,
        gradients: &'g mut [Vec<f32>],
    ) -> [&'g mut [f32]; 2] {
        let first = 2 * self.ordinal(index);
        let pair = gradients.get_disjoint_mut([first, first + 1]);
        pair.expect("two for each layer").map(Vec::as_mut_slice)
    }
}
