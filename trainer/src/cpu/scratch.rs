//! What threads write to while images go through the convolutional layers.

use std::sync::Mutex;

use crate::cpu::features::CHUNK;
use crate::cpu::ops::{conv2d, lrn, map_norm};
use crate::cpu::stretch::{plan, stretches};
use crate::net::layer::Layer;

/// Buffers of one thread, for the largest layer.
pub(crate) struct Scratch {
    /// Patches, or transformed values, of a convolution.
    pub(crate) values: Vec<f32>,
    /// Rows of a normalisation.
    pub(crate) row: Vec<f32>,
    /// The gradients of one image after a layer and before it.
    pub(crate) image: [Vec<f32>; 2],
    /// The gradients of a chunk after a stretch of layers and before it.
    pub(crate) chunk: [Vec<f32>; 2],
}

/// Values of a convolution's scratch.
fn conv_len(layer: &Layer) -> usize {
    let Layer::Conv(conv) = layer else { return 0 };
    match plan(layer, CHUNK) {
        Some(plan) => plan.scratch_len(true),
        None => conv2d::scratch_len(&conv.shape),
    }
}

impl Scratch {
    fn lens(layers: &[Layer]) -> [usize; 4] {
        let row = |layer: &Layer| match layer {
            Layer::Lrn(norm) => lrn::scratch_len(norm.column_channels(), &norm.config),
            Layer::MapNorm(norm) => map_norm::scratch_len(&norm.shape),
            _ => 0,
        };
        let largest = |len: &dyn Fn(&Layer) -> usize| layers.iter().map(len).max().unwrap_or(0);
        let ends = stretches(layers).into_iter().map(|s| s.layers.end - 1);
        let chunk = ends.map(|last| layers[last].output_len()).max();
        [
            largest(&conv_len),
            largest(&row),
            largest(&Layer::output_len),
            CHUNK * chunk.unwrap_or(0),
        ]
    }

    /// Bytes of the buffers.
    pub(crate) fn bytes(layers: &[Layer]) -> usize {
        let [values, row, image, chunk] = Self::lens(layers);
        (values + row + 2 * image + 2 * chunk) * size_of::<f32>()
    }

    fn new(layers: &[Layer]) -> Self {
        let [values, row, image, chunk] = Self::lens(layers);
        Self {
            values: vec![0.0; values],
            row: vec![0.0; row],
            image: [vec![0.0; image], vec![0.0; image]],
            chunk: [vec![0.0; chunk], vec![0.0; chunk]],
        }
    }
}

/// Scratch that threads borrow and give back; as many are made as ever work at once.
#[derive(Default)]
pub(crate) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// Runs `work` with a scratch of its own.
    pub(crate) fn with<R>(&self, layers: &[Layer], work: impl FnOnce(&mut Scratch) -> R) -> R {
        let free = self.0.lock().expect("nobody panics while holding it").pop();
        let mut scratch = free.unwrap_or_else(|| Scratch::new(layers));
        let result = work(&mut scratch);
        self.0
            .lock()
            .expect("nobody panics while holding it")
            .push(scratch);
        result
    }
}
