//! Which layers take all images of a chunk at once, and which take them one by one.

use std::ops::Range;

use crate::cpu::ops::winograd::Plan;
use crate::net::layer::Layer;

/// Images of a chunk. A constant, as the order of summation depends on it.
pub(crate) const CHUNK: usize = 8;

/// Fewest tiles of one image that make a matrix of sufficient size.
const SUFFICIENT_TILES: usize = 128;

/// Consecutive layers.
pub(crate) struct Segment {
    /// Their numbers.
    pub(crate) layers: Range<usize>,
    /// Whether all images of a chunk go through the one layer at once, rather than one image after
    /// the other through all of the layers.
    pub(crate) batched: bool,
}

/// The plan of a convolution of `images` images; `None` for one that is computed by patches.
pub(crate) fn plan(layer: &Layer, images: usize) -> Option<Plan> {
    let Layer::Conv(conv) = layer else {
        return None;
    };
    let shape = conv.shape;
    let images = if is_batched(layer) { images } else { 1 };
    Plan::fits(&shape).then_some(Plan { shape, images })
}

/// Whether a layer takes all images of a chunk at once: a convolution for whose matrix products one
/// image is too small.
pub(crate) fn is_batched(layer: &Layer) -> bool {
    let Layer::Conv(conv) = layer else {
        return false;
    };
    let plan = Plan {
        shape: conv.shape,
        images: 1,
    };
    Plan::fits(&conv.shape) && plan.image_tiles() < SUFFICIENT_TILES
}

/// The layers cut into segments.
pub(crate) fn segments(layers: &[Layer]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let batched = is_batched(layer);
        match segments.last_mut() {
            Some(last) if !batched && !last.batched => last.layers.end = number + 1,
            _ => segments.push(Segment {
                layers: number..number + 1,
                batched,
            }),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::config::ModelConfig;
    use crate::net::layer;

    #[test]
    fn the_papers_small_maps_are_batched() {
        let layers = layer::layers(&ModelConfig::alexnet()).unwrap();
        let cut: Vec<_> = segments(&layers[..10])
            .into_iter()
            .map(|s| (s.layers, s.batched))
            .collect();
        let expected = [
            (0..6, false),
            (6..7, true),
            (7..8, true),
            (8..9, true),
            (9..10, false),
        ];
        assert_eq!(cut, expected);
    }
}
