//! The part of the input that a unit sees, from the geometry of the layers.

use std::ops::Range;

use serde::Serialize;

use crate::net::layer::Layer;

/// A rectangle of the network's input, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// A position in the map of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The row.
    pub row: usize,
    /// The column.
    pub column: usize,
}

/// What a unit at `position` of the last of `layers` sees, cut at the border of the image. The layers are those of a
/// network up to a convolution, a pool or a normalisation.
pub(super) fn window(layers: &[Layer], position: Position) -> Window {
    let mut rows = position.row..position.row + 1;
    let mut columns = position.column..position.column + 1;
    for layer in layers.iter().rev() {
        rows = seen(layer, rows, Axis::Rows);
        columns = seen(layer, columns, Axis::Columns);
    }
    Window {
        top: rows.start,
        left: columns.start,
        height: rows.len(),
        width: columns.len(),
    }
}

#[derive(Clone, Copy)]
enum Axis {
    Rows,
    Columns,
}

/// How a layer's windows lie along an axis.
struct Steps {
    kernel: usize,
    stride: usize,
    before: usize,
    /// Length of the input.
    len: usize,
}

/// The range of a layer's input along an axis that a range of its output depends on.
fn seen(layer: &Layer, range: Range<usize>, axis: Axis) -> Range<usize> {
    let along = |rows: usize, columns: usize| match axis {
        Axis::Rows => rows,
        Axis::Columns => columns,
    };
    let steps = match layer {
        Layer::Conv(conv) => Steps {
            kernel: conv.shape.kernel,
            stride: conv.shape.stride,
            before: conv.shape.before,
            len: along(conv.shape.height, conv.shape.width),
        },
        Layer::Pool(pool) => Steps {
            kernel: pool.shape.kernel,
            stride: pool.shape.stride,
            before: 0,
            len: along(pool.shape.height, pool.shape.width),
        },
        Layer::MapNorm(norm) => Steps {
            kernel: norm.config.size,
            stride: 1,
            before: norm.config.size / 2,
            len: along(norm.shape.height, norm.shape.width),
        },
        // Across channels at one position.
        Layer::Lrn(_) => return range,
        Layer::Dropout(_) | Layer::Linear(_) => {
            unreachable!("a fully connected unit has no position")
        }
    };
    let first = (range.start * steps.stride).saturating_sub(steps.before);
    let end = (range.end - 1) * steps.stride + steps.kernel;
    first..end.saturating_sub(steps.before).min(steps.len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Network;
    use crate::net::Model;
    use crate::net::config::{LrnConfig, ModelConfig};
    use shardmill_formats::{Philox, Stream};

    fn number(layers: &[Layer], name: &str) -> usize {
        layers
            .iter()
            .position(|layer| layer.name() == name)
            .unwrap()
    }

    fn at(row: usize, column: usize) -> Position {
        Position { row, column }
    }

    #[test]
    fn the_papers_units_see_what_its_layer_table_says() {
        let model = Model::new(
            &ModelConfig {
                classes: 2,
                ..ModelConfig::alexnet()
            },
            1,
        )
        .unwrap();
        let layers = model.layers();
        // Sides in the middle of the map: 11, then 11 + (3 - 1) 4 = 19, 19 + (5 - 1) 8 = 51, ...
        for (name, row, side) in [
            ("conv1", 27, 11),
            ("pool1", 13, 19),
            ("conv2", 13, 51),
            ("pool2", 6, 67),
            ("conv3", 6, 99),
            ("conv4", 6, 131),
            ("conv5", 6, 163),
        ] {
            let found = window(&layers[..=number(layers, name)], at(row, row));
            assert_eq!((found.height, found.width), (side, side), "{name}");
        }
        let corner = window(&layers[..=number(layers, "conv2")], at(0, 26));
        // Two positions of pool1 to each side, but for the border.
        assert_eq!((corner.top, corner.height), (0, 2 * 8 + 19));
        assert_eq!((corner.left, corner.width), (24 * 8, 224 - 24 * 8));
    }

    /// Changes whole rows and whole columns of the image, one after the other: a unit changes with those of its
    /// window alone.
    #[test]
    fn only_pixels_of_its_window_change_a_unit() {
        let side = 83;
        for map_norm in [None, Some(LrnConfig::NET_145_MAPS)] {
            let config = ModelConfig {
                width: 0.05,
                input_size: side,
                classes: 2,
                map_norm,
                ..ModelConfig::alexnet()
            };
            let mut network = Network::new(Model::new(&config, 3).unwrap());
            let layers = network.model().layers().to_vec();
            let philox = Philox::new(5, Stream::Demo);
            let image: Vec<f32> = (0..(side * side * 3) as u64)
                .map(|i| (philox.block(i, 0)[0] % 200) as f32 - 100.0)
                .collect();
            let names = ["conv1", "norm1", "pool1", "conv2", "conv3", "conv5"];
            let watched = names.map(|name| number(&layers, name));
            let before = network.activations(&image, &watched).unwrap();
            for axis in [Axis::Rows, Axis::Columns] {
                let mut changed: Vec<Vec<bool>> = vec![Vec::new(); 2 * watched.len()];
                let mut places = Vec::new();
                for &layer in &watched {
                    let map = crate::analysis::layers::shape(&layers[layer])[0];
                    // A corner and the middle.
                    places.push((layer, at(0, map - 1)));
                    places.push((layer, at(map / 2, map / 2)));
                }
                for line in 0..side {
                    let mut image = image.clone();
                    for other in 0..side {
                        let pixel = match axis {
                            Axis::Rows => line * side + other,
                            Axis::Columns => other * side + line,
                        };
                        for (channel, value) in image[pixel * 3..][..3].iter_mut().enumerate() {
                            let word = philox.block(pixel as u64, 1 + channel as u32)[0];
                            *value = (word % 400) as f32 - 200.0;
                        }
                    }
                    let after = network.activations(&image, &watched).unwrap();
                    for (index, (layer, place)) in places.iter().enumerate() {
                        let shape = crate::analysis::layers::shape(&layers[*layer]);
                        let first = (place.row * shape[1] + place.column) * shape[2];
                        let of = |found: &crate::cpu::Activations| {
                            found.layers[index / 2][first..][..shape[2]].to_vec()
                        };
                        let (old, new) = (of(&before), of(&after));
                        let scale = old.iter().fold(1e-3, |most: f32, v| most.max(v.abs()));
                        let differs = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-4 * scale;
                        changed[index].push(old.iter().zip(&new).any(differs));
                    }
                }
                for (changed, (layer, place)) in changed.iter().zip(&places) {
                    let window = window(&layers[..=*layer], *place);
                    let (first, len) = match axis {
                        Axis::Rows => (window.top, window.height),
                        Axis::Columns => (window.left, window.width),
                    };
                    let name = layers[*layer].name();
                    let found: Vec<usize> = (0..side).filter(|&line| changed[line]).collect();
                    let outside = found
                        .iter()
                        .filter(|line| !(first..first + len).contains(line));
                    assert_eq!(
                        outside.count(),
                        0,
                        "{name} {place:?}: {found:?}, {window:?}"
                    );
                    // Maxima hide some pixels, but not most of them.
                    assert!(
                        2 * found.len() > len,
                        "{name} {place:?}: {found:?}, {window:?}"
                    );
                }
            }
        }
    }
}
