//! Layers by their names.

use crate::analysis::AnalysisError;
use crate::net::layer::Layer;

/// The number of the layer called `name` among `layers`.
///
/// # Errors
/// No such layer; the error names those that there are.
pub(super) fn number(layers: &[Layer], name: &str) -> Result<usize, AnalysisError> {
    let found = layers.iter().position(|layer| layer.name() == name);
    found.ok_or_else(|| AnalysisError::UnknownLayer {
        layer: name.to_owned(),
        known: layers
            .iter()
            .map(Layer::name)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// The axes of one image's outputs of a layer: height, width and channels, or the number of units.
pub(super) fn shape(layer: &Layer) -> Vec<usize> {
    match layer {
        Layer::Conv(conv) => {
            let shape = &conv.shape;
            vec![shape.output_height(), shape.output_width(), shape.outputs]
        }
        Layer::Pool(pool) => {
            let shape = &pool.shape;
            vec![shape.output_height(), shape.output_width(), shape.channels]
        }
        Layer::MapNorm(norm) => vec![norm.shape.height, norm.shape.width, norm.shape.channels],
        Layer::Lrn(norm) => {
            // Maps are square.
            let side = norm.pixels.isqrt();
            vec![side, side, norm.channels]
        }
        Layer::Dropout(layer) => vec![layer.len],
        Layer::Linear(layer) => vec![layer.outputs],
    }
}
