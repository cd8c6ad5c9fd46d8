//! What threads write to while images go through the convolutional layers.

use crate::cpu::features::{CHUNK, OperationScratch, Scratch, plan, segments};
use crate::cpu::ops::{conv2d, lrn, map_norm};
use crate::net::layer::Layer;

/// Lengths of a scratch's buffers.
struct Lens {
    values: usize,
    row: usize,
    image: usize,
    chunk: usize,
}

impl Lens {
    fn of(layers: &[Layer]) -> Self {
        let values = |layer: &Layer| match (layer, plan(layer, CHUNK)) {
            (_, Some(plan)) => plan.scratch_len(true),
            (Layer::Conv(conv), None) => conv2d::scratch_len(&conv.shape),
            _ => 0,
        };
        let row = |layer: &Layer| match layer {
            Layer::Lrn(norm) => lrn::scratch_len(norm.column_channels(), &norm.config),
            Layer::MapNorm(norm) => map_norm::scratch_len(&norm.shape),
            _ => 0,
        };
        let largest = |len: &dyn Fn(&Layer) -> usize| layers.iter().map(len).max().unwrap_or(0);
        let ends = segments(layers).into_iter().map(|s| s.layers.end - 1);
        let chunk = ends.map(|last| layers[last].output_len()).max();
        Self {
            values: largest(&values),
            row: largest(&row),
            image: largest(&Layer::output_len),
            chunk: CHUNK * chunk.unwrap_or(0),
        }
    }
}

impl Scratch {
    /// Bytes of the buffers.
    pub(super) fn bytes(layers: &[Layer]) -> usize {
        let lens = Lens::of(layers);
        (lens.values + lens.row + 2 * lens.image + 2 * lens.chunk) * size_of::<f32>()
    }

    pub(super) fn new(layers: &[Layer]) -> Self {
        let lens = Lens::of(layers);
        Self {
            operation: OperationScratch {
                values: vec![0.0; lens.values],
                row: vec![0.0; lens.row],
            },
            image: [vec![0.0; lens.image], vec![0.0; lens.image]],
            chunk: [vec![0.0; lens.chunk], vec![0.0; lens.chunk]],
        }
    }
}
