//! The network of the 2012 paper, in candle: variables, a forward pass, and the update. Candle itself computes the
//! backward pass.

use anyhow::{Result, ensure};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use shardmill_trainer::candle_ops::{
    Activation, ConvShape, DropoutKey, LrnConfig, PoolShape, Rate, conv2d, dropout, linear, lrn,
    max_pool2d, sgd_step, softmax_cross_entropy,
};

/// Kernels, their side, groups, the spread of the initial weights and the initial biases of conv1 to conv5.
const CONVOLUTIONS: [(usize, usize, usize, f64, f32); 5] = [
    (96, 11, 1, 0.01, 0.0),
    (256, 5, 2, 0.01, 1.0),
    (384, 3, 1, 0.03, 0.0),
    (384, 3, 2, 0.03, 1.0),
    (256, 3, 2, 0.03, 1.0),
];

const RELU: Option<Activation> = Some(Activation::Relu);

/// A weight and a bias for each of conv1 to conv5 and fc6 to fc8, and the velocity of each of them.
pub(crate) struct AlexNet {
    pub(crate) parameters: Vec<Var>,
    velocities: Vec<Var>,
}

impl AlexNet {
    /// A network for images of `side` pixels a side, `width` times as wide as the paper's.
    pub(crate) fn new(classes: usize, side: usize, width: f64, device: &Device) -> Result<Self> {
        ensure!(
            side >= 64,
            "images have {side} pixels a side; the network needs 64"
        );
        ensure!(
            width > 0.0 && width <= 8.0,
            "the width is {width}; expected above 0, at most 8"
        );
        let scaled = |n: usize| ((n as f64 * width / 8.0).round() as usize).max(1) * 8;
        let (mut layers, mut inputs) = (Vec::new(), 3);
        for (kernels, kernel, groups, std, bias) in CONVOLUTIONS {
            let std = if inputs == 3 { std } else { std / width.sqrt() };
            let kernels = scaled(kernels);
            layers.push((vec![kernels, kernel, kernel, inputs / groups], std, bias));
            inputs = kernels;
        }
        // conv1 steps by four pixels, and each of the three pools of 3x3 by two.
        let conv1 = (side - 11).div_ceil(4) + 1;
        inputs *= (0..3).fold(conv1, |side, _| (side - 3) / 2 + 1).pow(2);
        for (outputs, bias) in [(scaled(4096), 1.0), (scaled(4096), 1.0), (classes, 0.0)] {
            layers.push((vec![outputs, inputs], 0.01 / width.sqrt(), bias));
            inputs = outputs;
        }
        let (mut parameters, mut velocities) = (Vec::new(), Vec::new());
        for (shape, std, bias) in layers {
            let bias = Tensor::full(bias, shape[0], device)?;
            parameters.push(Var::randn(0.0, std as f32, shape, device)?);
            parameters.push(Var::from_tensor(&bias)?);
        }
        for parameter in &parameters {
            velocities.push(Var::zeros(parameter.shape(), DType::F32, device)?);
        }
        Ok(Self {
            parameters,
            velocities,
        })
    }

    /// The mean loss of `[rows, side, side, 3]` images, and how many labels are the first class and among the first
    /// five; `key` chooses the dropout masks.
    pub(crate) fn forward(
        &self,
        images: &Tensor,
        labels: &[i64],
        key: DropoutKey,
    ) -> candle_core::Result<Tensor> {
        let layer = |number: usize| {
            [
                &self.parameters[2 * number - 2],
                &self.parameters[2 * number - 1],
            ]
        };
        let dense = |number, x: &Tensor, function| {
            let [weight, bias] = layer(number);
            linear(x, weight, bias, function)
        };
        let norm = LrnConfig::default();
        // As many zeros at the right and lower border as whole steps of four pixels need: one for 224 pixels.
        let border = (images.dim(1)? - 11).wrapping_neg() % 4;
        let x = conv(images, layer(1), 4, [0, border])?;
        let x = pool(&lrn(&x, norm)?)?;
        let x = conv(&x, layer(2), 1, [2, 2])?;
        let x = pool(&lrn(&x, norm)?)?;
        let x = conv(&x, layer(3), 1, [1, 1])?;
        let x = conv(&x, layer(4), 1, [1, 1])?;
        let x = conv(&x, layer(5), 1, [1, 1])?;
        let x = pool(&x)?.flatten_from(1)?;
        let x = dropout(&dense(6, &x, RELU)?, 0.5, key.mask(0))?;
        let x = dropout(&dense(7, &x, RELU)?, 0.5, key.mask(1))?;
        softmax_cross_entropy(&dense(8, &x, None)?, labels)
    }

    /// The paper's update, with momentum 0.9 and weight decay 0.0005; as in the authors' source, biases learn twice as
    /// fast and do not decay.
    pub(crate) fn update(&self, gradients: &GradStore, lr: f32) -> candle_core::Result<()> {
        let weight = Rate { lr, decay: 5e-4 };
        let bias = Rate {
            lr: 2.0 * lr,
            decay: 0.0,
        };
        let rates = [weight, bias].into_iter().cycle();
        for ((parameter, velocity), rate) in self.parameters.iter().zip(&self.velocities).zip(rates)
        {
            if let Some(gradient) = gradients.get(parameter) {
                sgd_step(parameter, velocity, gradient, 0.9, rate)?;
            }
        }
        Ok(())
    }
}

/// A convolution with ReLU. The number of groups follows from the inputs that a kernel sees.
fn conv(
    x: &Tensor,
    [weight, bias]: [&Var; 2],
    stride: usize,
    [before, after]: [usize; 2],
) -> candle_core::Result<Tensor> {
    let (_, height, width, inputs) = x.dims4()?;
    let (outputs, kernel, _, group_inputs) = weight.dims4()?;
    let groups = inputs / group_inputs;
    let shape = ConvShape {
        height,
        width,
        inputs,
        outputs,
        kernel,
        stride,
        before,
        after,
        groups,
    };
    conv2d(x, weight, bias, shape, RELU)
}

/// A max pool of overlapping windows.
fn pool(x: &Tensor) -> candle_core::Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let shape = PoolShape {
        height,
        width,
        channels,
        kernel: 3,
        stride: 2,
        cut: false,
    };
    max_pool2d(x, shape)
}
