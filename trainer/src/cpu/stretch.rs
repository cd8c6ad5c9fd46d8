//! Which images go through which layers together.

use std::ops::Range;

use crate::cpu::ops::winograd::Plan;
use crate::net::layer::Layer;

/// Fewest tiles of an image that make a matrix large enough by themselves.
const ENOUGH_TILES: usize = 128;

/// Consecutive layers.
pub(crate) struct Stretch {
    /// Their numbers.
    pub(crate) layers: Range<usize>,
    /// Convolutions before them.
    pub(crate) convolutions: usize,
    /// Whether all images of a chunk go through the one layer at once, rather than one image after
    /// the other through all of the layers.
    pub(crate) together: bool,
}

/// The plan of a convolution of `images` images; `None` for one that goes by patches.
pub(crate) fn plan(layer: &Layer, images: usize) -> Option<Plan> {
    let Layer::Conv(conv) = layer else {
        return None;
    };
    let shape = conv.shape;
    let images = if together(layer) { images } else { 1 };
    Plan::fits(&shape).then_some(Plan { shape, images })
}

/// Whether one image makes matrices too small for a convolution's products.
pub(crate) fn together(layer: &Layer) -> bool {
    let Layer::Conv(conv) = layer else {
        return false;
    };
    let plan = Plan {
        shape: conv.shape,
        images: 1,
    };
    Plan::fits(&conv.shape) && plan.image_tiles() < ENOUGH_TILES
}

/// The layers cut into stretches.
pub(crate) fn stretches(layers: &[Layer]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut convolutions = 0;
    for (number, layer) in layers.iter().enumerate() {
        let together = together(layer);
        match stretches.last_mut() {
            Some(last) if !together && !last.together => last.layers.end = number + 1,
            _ => stretches.push(Stretch {
                layers: number..number + 1,
                convolutions,
                together,
            }),
        }
        convolutions += usize::from(matches!(layer, Layer::Conv(_)));
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::config::ModelConfig;
    use crate::net::layer;

    #[test]
    fn the_papers_small_maps_go_together() {
        let layers = layer::layers(&ModelConfig::alexnet()).unwrap();
        let cut: Vec<_> = stretches(&layers[..10])
            .into_iter()
            .map(|s| (s.layers, s.convolutions, s.together))
            .collect();
        let expected = [
            (0..6, 0, false),
            (6..7, 2, true),
            (7..8, 3, true),
            (8..9, 4, true),
            (9..10, 5, false),
        ];
        assert_eq!(cut, expected);
    }
}
