//! The layers of a network in order, with their shapes as a [`ModelConfig`] determines them.

use crate::net::config::{
    Activation, Conv1Order, LrnConfig, ModelConfig, ModelConfigError, Variant,
};
use crate::net::shape::{ConvShape, MapShape, PoolKind, PoolShape};
use crate::net::stage::{Pool, Stage, stages};

/// A convolution with bias and activation.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvLayer {
    /// `conv1` to `conv5`.
    pub name: String,
    /// Sizes, stride, padding and groups.
    pub shape: ConvShape,
    /// Applied to the output.
    pub activation: Option<Activation>,
}

/// A response normalisation within each channel's map.
#[derive(Clone, Debug, PartialEq)]
pub struct MapNormLayer {
    /// `maps2`.
    pub name: String,
    /// Sides and channels.
    pub shape: MapShape,
    /// The constants.
    pub config: LrnConfig,
}

/// A response normalisation over `pixels` positions of `channels` channels, in `columns` equal parts
/// that do not mix.
#[derive(Clone, Debug, PartialEq)]
pub struct LrnLayer {
    /// `norm1` or `norm2`.
    pub name: String,
    /// Positions of one image.
    pub pixels: usize,
    /// Channels at each position.
    pub channels: usize,
    /// Parts of the channels, one after the other, each normalised by itself.
    pub columns: usize,
    /// The constants.
    pub config: LrnConfig,
}

impl LrnLayer {
    /// Channels that one normalisation spans. A position's columns are contiguous, as pixels are, so
    /// kernels take a column as a pixel of this many channels.
    #[must_use]
    pub const fn column_channels(&self) -> usize {
        self.channels / self.columns
    }
}

/// A pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolLayer {
    /// `pool1`, `pool2` or `pool5`; `pool1` to `pool3` in Fig. 1's network.
    pub name: String,
    /// What it makes of a window's values.
    pub kind: PoolKind,
    /// Sizes, window and stride.
    pub shape: PoolShape,
    /// Applied to the output.
    pub activation: Option<Activation>,
}

/// Dropout of `len` values per image.
#[derive(Clone, Debug, PartialEq)]
pub struct DropoutLayer {
    /// `drop1` or `drop2`.
    pub name: String,
    /// Values of one image.
    pub len: usize,
    /// The share of values dropped.
    pub rate: f32,
}

/// A fully connected layer with bias and, except in the last, an activation.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearLayer {
    /// `fc6` to `fc8`; `fc4` in Fig. 1's network.
    pub name: String,
    /// Inputs per image.
    pub inputs: usize,
    /// Outputs per image.
    pub outputs: usize,
    /// Applied to the output.
    pub activation: Option<Activation>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Convolution.
    Conv(ConvLayer),
    /// Response normalisation.
    Lrn(LrnLayer),
    /// Response normalisation within maps.
    MapNorm(MapNormLayer),
    /// Max pool or average pool.
    Pool(PoolLayer),
    /// Dropout.
    Dropout(DropoutLayer),
    /// Fully connected.
    Linear(LinearLayer),
}

impl Layer {
    /// The layer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Conv(layer) => &layer.name,
            Self::Lrn(layer) => &layer.name,
            Self::MapNorm(layer) => &layer.name,
            Self::Pool(layer) => &layer.name,
            Self::Dropout(layer) => &layer.name,
            Self::Linear(layer) => &layer.name,
        }
    }

    /// Whether the layer has a weight and a bias.
    #[must_use]
    pub const fn has_parameters(&self) -> bool {
        matches!(self, Self::Conv(_) | Self::Linear(_))
    }

    /// Multiplications, each with its addition, of a forward pass of one image.
    #[must_use]
    pub const fn multiply_adds(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.shape.output_pixels() * conv.shape.weight_len(),
            Self::Linear(linear) => linear.inputs * linear.outputs,
            _ => 0,
        }
    }

    /// Whether only the CPU computes it: average pools, and pools of windows that are cut.
    #[must_use]
    pub const fn is_cpu_only(&self) -> bool {
        match self {
            Self::Pool(pool) => pool.shape.cut || matches!(pool.kind, PoolKind::Average),
            _ => false,
        }
    }

    /// Values per image that come out of the layer.
    #[must_use]
    pub fn output_len(&self) -> usize {
        match self {
            Self::Conv(layer) => layer.shape.output_len(),
            Self::Lrn(layer) => layer.pixels * layer.channels,
            Self::MapNorm(layer) => layer.shape.len(),
            Self::Pool(layer) => layer.shape.output_len(),
            Self::Dropout(layer) => layer.len,
            Self::Linear(layer) => layer.outputs,
        }
    }
}

/// Channels of a layer of the full network, under the width factor.
fn scaled(channels: usize, width: f64) -> usize {
    if width == 1.0 {
        return channels;
    }
    ((channels as f64 * width / 8.0).round() as usize).max(1) * 8
}

/// The network so far, and what reaches its next layer.
struct Cursor {
    side: usize,
    channels: usize,
    layers: Vec<Layer>,
}

impl Cursor {
    fn fit(&self, name: &str, window: usize, config: &ModelConfig) -> Result<(), ModelConfigError> {
        if self.side >= window {
            return Ok(());
        }
        Err(ModelConfigError::TooSmall {
            input_size: config.input_size,
            layer: name.to_owned(),
            found: self.side,
            window,
        })
    }

    fn pool(
        &mut self,
        number: usize,
        pool: Pool,
        config: &ModelConfig,
    ) -> Result<(), ModelConfigError> {
        let name = format!("pool{number}");
        self.fit(&name, pool.side, config)?;
        let shape = PoolShape {
            height: self.side,
            width: self.side,
            channels: self.channels,
            kernel: pool.side,
            stride: 2,
            cut: pool.cut,
        };
        self.side = shape.output_height();
        let after = activation_after_pool(number, config) && config.removed_conv != Some(number);
        self.layers.push(Layer::Pool(PoolLayer {
            name,
            kind: pool.kind,
            shape,
            activation: after.then_some(config.activation),
        }));
        Ok(())
    }
}

/// Whether the activation of convolution `number` comes after its pool.
fn activation_after_pool(number: usize, config: &ModelConfig) -> bool {
    match number {
        1 => config.conv1_order == Conv1Order::ActivationLast,
        5 => config.conv5_pool_first,
        _ => false,
    }
}

/// Lays out the network's layers in order.
///
/// # Errors
/// A field out of its range, or an input too small for a layer's window.
pub fn layers(config: &ModelConfig) -> Result<Vec<Layer>, ModelConfigError> {
    config.validate()?;
    let mut cursor = Cursor {
        side: config.input_size,
        channels: 3,
        layers: Vec::new(),
    };
    for stage in stages(config) {
        if config.removed_conv != Some(stage.number) {
            convolution(&mut cursor, &stage, config)?;
        }
        if let Some(pool) = stage.pool {
            cursor.pool(stage.number, pool, config)?;
        }
    }
    fully_connected(&mut cursor, config);
    Ok(cursor.layers)
}

fn convolution(
    cursor: &mut Cursor,
    stage: &Stage,
    config: &ModelConfig,
) -> Result<(), ModelConfigError> {
    let Stage { number, window, .. } = *stage;
    let name = format!("conv{number}");
    let kernels = scaled(stage.kernels, config.width);
    let padding = window.before + window.after;
    cursor.fit(&name, window.side.saturating_sub(padding).max(1), config)?;
    let shape = ConvShape {
        height: cursor.side,
        width: cursor.side,
        inputs: cursor.channels,
        outputs: kernels,
        kernel: window.side,
        stride: window.stride,
        before: window.before,
        after: window.after,
        groups: stage.groups,
    };
    cursor.side = shape.output_height();
    cursor.channels = kernels;
    let activation = (!activation_after_pool(number, config)).then_some(config.activation);
    cursor.layers.push(Layer::Conv(ConvLayer {
        name,
        shape,
        activation,
    }));
    if let (1 | 2, Some(lrn)) = (number, config.lrn) {
        cursor.layers.push(Layer::Lrn(LrnLayer {
            name: format!("norm{number}"),
            pixels: cursor.side * cursor.side,
            channels: kernels,
            columns: if config.lrn_within_columns {
                config.columns
            } else {
                1
            },
            config: lrn,
        }));
    }
    if let (2, Some(maps)) = (number, config.map_norm) {
        cursor.layers.push(Layer::MapNorm(MapNormLayer {
            name: format!("maps{number}"),
            shape: MapShape {
                height: cursor.side,
                width: cursor.side,
                channels: kernels,
            },
            config: maps,
        }));
    }
    Ok(())
}

/// The paper drops the outputs of fc6 and fc7; torchvision drops the inputs of the two.
fn fully_connected(cursor: &mut Cursor, config: &ModelConfig) {
    let hidden = scaled(4096, config.width);
    let mut len = cursor.side * cursor.side * cursor.channels;
    let numbered = match config.variant {
        Variant::Fig1 => vec![(4, config.classes)],
        _ => vec![(6, hidden), (7, hidden), (8, config.classes)],
    };
    let last = numbered.len() - 1;
    for (place, (number, outputs)) in numbered.into_iter().enumerate() {
        let drops_input = match config.variant {
            Variant::AlexnetOwt => place < last,
            Variant::Alexnet | Variant::Fig1 => place > 0,
        };
        if drops_input && config.dropout > 0.0 {
            let dropped = cursor
                .layers
                .iter()
                .filter(|l| matches!(l, Layer::Dropout(_)));
            cursor.layers.push(Layer::Dropout(DropoutLayer {
                name: format!("drop{}", dropped.count() + 1),
                len,
                rate: config.dropout,
            }));
        }
        cursor.layers.push(Layer::Linear(LinearLayer {
            name: format!("fc{number}"),
            inputs: len,
            outputs,
            activation: (place < last).then_some(config.activation),
        }));
        len = outputs;
    }
}
