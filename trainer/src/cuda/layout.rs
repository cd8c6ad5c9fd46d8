//! Where the channels of each layer's output lie: all together, or in the paper's two columns.
//!
//! A convolution of two groups is two convolutions that have nothing in common. With each column a tensor of its own,
//! cuDNN computes them as what they are; of one tensor with both columns it first copies the groups apart. So
//! outputs are in columns from where the network divides to where it joins again. The pools, which read and write
//! every value anyway, take channels apart and join them.

use crate::net::layer::Layer;

/// How the channels of a batch lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One tensor, with all channels of a pixel together.
    Joined,
    /// Two tensors, one behind the other, each with half of the channels of all images.
    Columns,
}

/// What it costs that an ungrouped convolution gives columns: its forward pass reads its input twice.
const DIVIDED: usize = 1;

/// What it costs that a grouped convolution gets and gives joined channels: more than any number of the others.
const GROUPED: usize = 100;

impl Layout {
    const ALL: [Self; 2] = [Self::Joined, Self::Columns];

    /// The number of tensors.
    pub(crate) const fn columns(self) -> usize {
        match self {
            Self::Joined => 1,
            Self::Columns => 2,
        }
    }
}

/// The layout of each layer's output, such that the layers cost the least; joined where it makes no difference.
/// Each column begins on a bound of `pack` values, wherever that is an image's end.
pub(crate) fn layouts(layers: &[Layer], pack: usize) -> Vec<Layout> {
    // For each layout of the last layer so far, if it is possible, the cost and the layouts of all.
    let mut best = vec![(Layout::Joined, 0, Vec::new())];
    for layer in layers {
        let mut next: Vec<(Layout, usize, Vec<Layout>)> = Vec::new();
        for output in Layout::ALL {
            let ways = best.iter().filter_map(|(input, so_far, before)| {
                let cost = so_far + cost(layer, *input, output, pack)?;
                Some((cost, before))
            });
            if let Some((cost, before)) = ways.min_by_key(|(cost, _)| *cost) {
                let all = before.iter().copied().chain([output]).collect();
                next.push((output, cost, all));
            }
        }
        best = next;
    }
    let least = best.into_iter().min_by_key(|(_, cost, _)| *cost);
    least.expect("all joined is always possible").2
}

/// What a layer costs between these layouts, if it can be computed.
fn cost(layer: &Layer, input: Layout, output: Layout, pack: usize) -> Option<usize> {
    use Layout::{Columns, Joined};
    if output == Columns && !channels(layer)?.is_multiple_of(2 * pack) {
        return None;
    }
    match (layer, input, output) {
        (Layer::Conv(conv), _, _) => match (conv.shape.groups, input, output) {
            (1, Joined, Joined) | (2, Columns, Columns) => Some(0),
            (1, Joined, Columns) => Some(DIVIDED),
            (_, Joined, Joined) => Some(GROUPED),
            _ => None,
        },
        (Layer::Pool(_), _, _) => Some(0),
        _ => (input == output).then_some(0),
    }
}

/// The channels of a layer's output, if it consists of images.
fn channels(layer: &Layer) -> Option<usize> {
    match layer {
        Layer::Conv(conv) => Some(conv.shape.outputs),
        Layer::Lrn(norm) => Some(norm.channels),
        Layer::MapNorm(norm) => Some(norm.shape.channels),
        Layer::Pool(pool) => Some(pool.shape.channels),
        Layer::Dropout(_) | Layer::Linear(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, cost, layouts};
    use crate::net::config::ModelConfig;
    use crate::net::layer::{self, Layer};

    /// The layers whose output is in columns.
    fn in_columns(config: &ModelConfig, pack: usize) -> String {
        let layers = layer::layers(config).unwrap();
        let found = layouts(&layers, pack);
        assert_eq!(found.len(), layers.len());
        // Every layer can do what is asked of it.
        let inputs = [Layout::Joined].into_iter().chain(found.iter().copied());
        for ((layer, input), output) in layers.iter().zip(inputs).zip(&found) {
            assert!(cost(layer, input, *output, pack).is_some());
        }
        let pairs = layers.iter().zip(&found);
        let columns = pairs.filter(|(_, layout)| layout.columns() == 2);
        let names: Vec<&str> = columns.map(|(layer, _)| layer.name()).collect();
        names.join(" ")
    }

    #[test]
    fn the_papers_network_is_in_columns_from_pool1_to_conv5() {
        let found = in_columns(&ModelConfig::alexnet(), 8);
        assert_eq!(found, "pool1 conv2 norm2 conv3 conv4 conv5");
    }

    #[test]
    fn networks_of_one_column_stay_joined() {
        let one = ModelConfig {
            columns: 1,
            ..ModelConfig::alexnet()
        };
        for config in [one, ModelConfig::alexnet_owt(), ModelConfig::fig1()] {
            assert_eq!(in_columns(&config, 8), "");
        }
    }

    #[test]
    fn columns_join_wherever_a_layer_was_removed() {
        for (removed, expected) in [
            (2, "conv3 conv4 conv5"),
            (3, "pool1 conv2 norm2 pool2 conv4 conv5"),
            (4, "pool1 conv2 norm2 conv3 conv5"),
            (5, "pool1 conv2 norm2 conv3 conv4"),
        ] {
            let config = ModelConfig {
                removed_conv: Some(removed),
                ..ModelConfig::alexnet()
            };
            assert_eq!(in_columns(&config, 8), expected, "without conv{removed}");
        }
    }

    #[test]
    fn a_half_that_is_no_whole_number_of_packs_stays_joined() {
        let narrow = ModelConfig {
            width: 0.25,
            ..ModelConfig::alexnet()
        };
        // 24 channels of conv1.
        assert_eq!(
            in_columns(&narrow, 4),
            "pool1 conv2 norm2 conv3 conv4 conv5"
        );
        assert_eq!(in_columns(&narrow, 8), "conv3 conv4 conv5");
        let narrower = ModelConfig {
            width: 0.02,
            ..narrow
        };
        assert_eq!(in_columns(&narrower, 8), "");
    }

    #[test]
    fn without_a_pool_between_a_grouped_convolution_stays_joined_or_the_one_before_divides() {
        let mut layers = layer::layers(&ModelConfig::alexnet()).unwrap();
        layers.retain(|layer| !matches!(layer, Layer::Pool(_)));
        let names = |layers: &[Layer]| -> String {
            let pairs = layers.iter().zip(layouts(layers, 8));
            let columns = pairs.filter(|(_, layout)| *layout == Layout::Columns);
            columns
                .map(|(layer, _)| layer.name().to_owned() + " ")
                .collect()
        };
        // Nothing joins what conv2 and conv5 would give; conv4's input would have to be joined too.
        assert_eq!(names(&layers), "");
        layers.truncate(layers.iter().position(|l| l.name() == "conv3").unwrap());
        assert_eq!(names(&layers), "conv1 norm1 conv2 norm2 ");
    }
}
