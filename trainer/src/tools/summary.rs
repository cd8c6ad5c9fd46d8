//! The layer table of a network.

use std::fmt;

use serde::Serialize;

use crate::net::config::{ModelConfig, ModelConfigError};
use crate::net::layer::{self, Layer};
use crate::net::shape::PoolKind;

/// One row of the table; sizes are those of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LayerRow {
    /// The layer's name.
    pub(crate) layer: String,
    /// What comes in, as `[height, width, channels]` or `[values]`.
    pub(crate) input: Vec<usize>,
    /// Window and channels that each output sees, as `[height, width, channels]`; empty for none.
    pub(crate) filter: Vec<usize>,
    /// Step of the window; 0 where there is none.
    pub(crate) stride: usize,
    /// Parts of the channels that see nothing of each other: the groups of a convolution, the columns
    /// of a response normalisation; else 1.
    pub(crate) groups: usize,
    /// What a pool makes of its windows; `None` in other layers.
    pub(crate) pool: Option<PoolKind>,
    /// Whether a pool's windows are cut at the border, so that their number is rounded up.
    pub(crate) cut: bool,
    /// What goes out, by `(N - F) / S + 1` along each side, `N` with its padding.
    pub(crate) output: Vec<usize>,
    /// Weights and biases.
    pub(crate) parameters: u64,
    /// Multiplications, each with its addition, of a forward pass.
    pub(crate) multiply_adds: u64,
    /// Output values of layers with weights, which is what the paper counts.
    pub(crate) neurons: u64,
}

impl LayerRow {
    /// Whether it is a response normalisation within columns, which its sizes do not show.
    pub(crate) fn is_cut_norm(&self) -> bool {
        self.groups > 1 && self.parameters == 0
    }
}

/// The heads of the table's columns, and the widths of all but the first.
const HEAD: [&str; 8] = [
    "layer",
    "input",
    "filter",
    "stride",
    "output",
    "parameters",
    "multiply-adds",
    "neurons",
];
const WIDTHS: [usize; 7] = [11, 9, 6, 10, 11, 13, 9];

/// The table of one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// The layers in order.
    pub(crate) layers: Vec<LayerRow>,
    /// Parameters of all layers.
    pub(crate) parameters: u64,
    /// Multiply-adds of all layers.
    pub(crate) multiply_adds: u64,
    /// Neurons of all layers.
    pub(crate) neurons: u64,
}

impl Summary {
    /// The table of the network that `config` describes.
    ///
    /// # Errors
    /// A configuration that describes no network.
    pub(crate) fn of(config: &ModelConfig) -> Result<Self, ModelConfigError> {
        let layers: Vec<LayerRow> = layer::layers(config)?.iter().map(row).collect();
        Ok(Self {
            parameters: layers.iter().map(|l| l.parameters).sum(),
            multiply_adds: layers.iter().map(|l| l.multiply_adds).sum(),
            neurons: layers.iter().map(|l| l.neurons).sum(),
            layers,
        })
    }
}

fn row(layer: &Layer) -> LayerRow {
    let same = |values: Vec<usize>| LayerRow {
        layer: layer.name().to_owned(),
        input: values.clone(),
        filter: Vec::new(),
        stride: 0,
        groups: 1,
        pool: None,
        cut: false,
        output: values,
        parameters: 0,
        multiply_adds: layer.multiply_adds() as u64,
        neurons: 0,
    };
    match layer {
        Layer::Conv(conv) => {
            let s = &conv.shape;
            let output = vec![s.output_height(), s.output_width(), s.outputs];
            LayerRow {
                filter: vec![s.kernel, s.kernel, s.group_inputs()],
                stride: s.stride,
                groups: s.groups,
                output,
                parameters: (s.weight_len() + s.outputs) as u64,
                neurons: s.output_len() as u64,
                ..same(vec![s.height, s.width, s.inputs])
            }
        }
        Layer::Pool(pool) => {
            let s = &pool.shape;
            LayerRow {
                filter: vec![s.kernel, s.kernel, 1],
                stride: s.stride,
                pool: Some(pool.kind),
                cut: s.cut,
                output: vec![s.output_height(), s.output_width(), s.channels],
                ..same(vec![s.height, s.width, s.channels])
            }
        }
        Layer::Lrn(norm) => {
            let side = norm.pixels.isqrt();
            LayerRow {
                filter: vec![1, 1, norm.config.size],
                groups: norm.columns,
                ..same(vec![side, side, norm.channels])
            }
        }
        Layer::MapNorm(norm) => {
            let s = &norm.shape;
            LayerRow {
                filter: vec![norm.config.size, norm.config.size, 1],
                ..same(vec![s.height, s.width, s.channels])
            }
        }
        Layer::Dropout(dropout) => same(vec![dropout.len]),
        Layer::Linear(linear) => LayerRow {
            output: vec![linear.outputs],
            parameters: ((linear.inputs + 1) * linear.outputs) as u64,
            neurons: linear.outputs as u64,
            ..same(vec![linear.inputs])
        },
    }
}

/// `13x13x384`, or `-` for nothing.
pub(crate) fn sizes(sizes: &[usize]) -> String {
    if sizes.is_empty() {
        return "-".to_owned();
    }
    let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
    sizes.join("x")
}

/// `60,965,224`, or `-` for 0.
pub(crate) fn grouped(number: u64) -> String {
    if number == 0 {
        return "-".to_owned();
    }
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |cells: [&str; 8]| {
            write!(f, "{:<6}", cells[0])?;
            for (cell, width) in cells[1..].iter().zip(WIDTHS) {
                write!(f, " {cell:>width$}")?;
            }
            writeln!(f)
        };
        line(HEAD)?;
        for row in &self.layers {
            line([
                &row.layer,
                &sizes(&row.input),
                &sizes(&row.filter),
                &grouped(row.stride as u64),
                &sizes(&row.output),
                &grouped(row.parameters),
                &grouped(row.multiply_adds),
                &grouped(row.neurons),
            ])?;
        }
        let sums = [self.parameters, self.multiply_adds, self.neurons].map(grouped);
        line(["total", "", "", "", "", &sums[0], &sums[1], &sums[2]])?;
        for row in self.layers.iter().filter(|row| row.is_cut_norm()) {
            let (layer, columns) = (&row.layer, row.groups);
            let channels = row.input.last().map_or(0, |all| all / columns);
            writeln!(
                f,
                "{layer} within each of {columns} columns of {channels} channels"
            )?;
        }
        for row in &self.layers {
            let layer = &row.layer;
            let of = match (row.pool, row.cut) {
                (Some(PoolKind::Average), false) => "means of the windows",
                (Some(PoolKind::Average), true) => "means of windows that the border cuts",
                (Some(PoolKind::Max), true) => "the largest of windows that the border cuts",
                (Some(PoolKind::Max) | None, _) => continue,
            };
            writeln!(f, "{layer} {of}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::config::{Conv1Window, Pooling};

    fn totals(config: &ModelConfig) -> (u64, u64) {
        let summary = Summary::of(config).unwrap();
        (summary.parameters, summary.multiply_adds)
    }

    #[test]
    fn the_papers_network_has_its_published_size() {
        let summary = Summary::of(&ModelConfig::alexnet()).unwrap();
        assert_eq!(summary.parameters, 60_965_224);
        assert_eq!(summary.multiply_adds, 724_406_816);
        let outputs: Vec<String> = summary.layers.iter().map(|l| sizes(&l.output)).collect();
        let expected = "55x55x96 55x55x96 27x27x96 27x27x256 27x27x256 13x13x256 13x13x384 \
                        13x13x384 13x13x256 6x6x256 4096 4096 4096 4096 1000";
        assert_eq!(outputs.join(" "), expected);
        // The paper gives 150,528 inputs and then 290400-186624-64896-64896-43264-4096-4096-1000.
        assert_eq!(
            summary.neurons,
            290_400 + 186_624 + 64_896 * 2 + 43_264 + 4096 * 2 + 1000
        );
    }

    #[test]
    fn torchvisions_network_has_its_published_size() {
        assert_eq!(totals(&ModelConfig::alexnet_owt()).0, 61_100_840);
    }

    #[test]
    fn fig1s_network_has_the_sizes_of_the_authors_example() {
        let summary = Summary::of(&ModelConfig::fig1()).unwrap();
        let outputs: Vec<String> = summary.layers.iter().map(|l| sizes(&l.output)).collect();
        assert_eq!(
            outputs.join(" "),
            "32x32x32 16x16x32 16x16x32 8x8x32 8x8x64 4x4x64 10"
        );
        // 32 kernels of 5x5x3, 32 and 64 of 5x5x32, ten rows of 4x4x64, and a bias for each.
        let parameters = 32 * 76 + (32 + 64) * 801 + 10 * 1025;
        assert_eq!(summary.parameters, parameters);
        let products = 1024 * 2400 + 256 * 25_600 + 64 * 51_200 + 10_240;
        assert_eq!(summary.multiply_adds, products);
        let table = summary.to_string();
        assert!(
            table.ends_with(
                "pool1 the largest of windows that the border cuts\n\
                 pool2 means of windows that the border cuts\n\
                 pool3 means of windows that the border cuts\n"
            ),
            "{table}"
        );
    }

    #[test]
    fn windows_of_7x7_leave_the_later_layers_their_sizes() {
        for base in [ModelConfig::alexnet(), ModelConfig::alexnet_owt()] {
            let outputs = |config: &ModelConfig| -> Vec<String> {
                let layers = Summary::of(config).unwrap().layers;
                let rows = layers.iter().map(|l| (&l.layer, sizes(&l.output)));
                rows.map(|(name, output)| format!("{name} {output}"))
                    .collect()
            };
            let seven = ModelConfig {
                conv1_window: Conv1Window::Seven,
                ..base.clone()
            };
            let (eleven, seven) = (outputs(&base), outputs(&seven));
            let conv2 = eleven.iter().position(|row| row.starts_with("conv2"));
            let conv2 = conv2.unwrap();
            assert_eq!(seven[conv2..], eleven[conv2..]);
            // Zeiler and Fergus, Fig. 3.
            assert!(seven[0].starts_with("conv1 110x110x"), "{seven:?}");
        }
    }

    #[test]
    fn every_ablation_has_its_layers() {
        let with = |change: &dyn Fn(&mut ModelConfig)| {
            let mut config = ModelConfig::alexnet();
            change(&mut config);
            config
        };
        let lacks = |config: &ModelConfig, name: &str| {
            let layers = Summary::of(config).unwrap().layers;
            layers.iter().all(|l| !l.layer.starts_with(name))
        };
        let base = totals(&ModelConfig::alexnet());
        let no_lrn = with(&|config| config.lrn = None);
        assert_eq!(totals(&no_lrn), base);
        assert!(lacks(&no_lrn, "norm"));
        let pooling = with(&|config| config.pooling = Pooling::NonOverlapping);
        assert_eq!(totals(&pooling).0, 60_965_224);
        let cut = with(&|config| config.lrn_within_columns = true);
        let table = Summary::of(&cut).unwrap().to_string();
        assert!(
            table.ends_with(
                "659,272\nnorm1 within each of 2 columns of 48 channels\n\
                 norm2 within each of 2 columns of 128 channels\n"
            ),
            "{table}"
        );
        let one_column = with(&|config| config.columns = 1);
        let conv = Summary::of(&one_column).unwrap().layers[0].output.clone();
        assert_eq!(conv, [55, 55, 48]);
        for number in 2..=5 {
            let removed = with(&|config| config.removed_conv = Some(number));
            assert!(lacks(&removed, &format!("conv{number}")));
            assert!(totals(&removed).1 < base.1);
        }
    }

    #[test]
    fn the_table_ends_with_the_totals() {
        let table = Summary::of(&ModelConfig::alexnet()).unwrap().to_string();
        assert!(
            table.contains("conv1    224x224x3   11x11x3      4   55x55x96      34,944"),
            "{table}"
        );
        assert!(
            table
                .trim_end()
                .ends_with("60,965,224   724,406,816   659,272"),
            "{table}"
        );
    }

    #[test]
    fn an_input_too_small_names_the_layer() {
        let config = ModelConfig {
            input_size: 32,
            ..ModelConfig::alexnet()
        };
        let message = Summary::of(&config).unwrap_err().to_string();
        assert!(message.contains("pool5"), "{message}");
    }
}
