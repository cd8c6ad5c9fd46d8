//! Every kernel and library call against the CPU's kernels, forward and backward, at odd sizes.

pub(super) mod candle;
mod columns;
mod images;
mod products;

use half::bf16;

use crate::compute::Precision;
use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::{activation, cross_entropy, dropout, lrn, map_norm, max_pool2d};
use crate::cuda::device::{Buffer, CudaError, Device, Element, View};
use crate::cuda::kernels::{self, Loss, NormChannels, NormGradient, PoolColumns, PoolGradient};
use crate::net::MaskKey;
use crate::net::config::{Activation, LrnConfig};
use crate::net::layer::MapNormLayer;
use crate::net::shape::{MapShape, PoolShape};
use crate::tools::check::comparisons::Comparisons;
use crate::tools::check::numbers;

/// Bytes of workspace for the convolutions here.
const WORKSPACE: usize = 256 << 20;

/// Largest errors that are allowed, over the largest value.
struct Tolerance {
    /// Of operations on single values.
    pointwise: f64,
    /// Of sums of products.
    product: f64,
    /// Of values that are only copied, or multiplied once; in f32 they are the CPU's.
    copied: f64,
}

fn tolerance(precision: Precision) -> Tolerance {
    let (pointwise, product, copied) = match precision {
        // Sums in another order; transcendental functions of another library.
        Precision::F32 => (4e-6, 2e-5, 0.0),
        // A factor is rounded to 11 bits: 2^-12 at most, and sums of many partly cancel.
        Precision::Tf32 => (4e-6, 2e-3, 0.0),
        // Inputs are the same; outputs are rounded to 8 bits: 2^-9, and intermediate values too.
        Precision::Bf16 => (1e-2, 1e-2, 4e-3),
    };
    Tolerance {
        pointwise,
        product,
        copied,
    }
}

/// What the comparisons of one precision share.
struct Ops<'a> {
    device: &'a Device,
    tally: &'a mut Comparisons,
}

/// Runs every comparison.
pub(super) fn run(device: &Device, tally: &mut Comparisons) -> Result<(), CudaError> {
    Ops { device, tally }.run()
}

impl Ops<'_> {
    fn run(&mut self) -> Result<(), CudaError> {
        self.finish()?;
        self.activations()?;
        self.pools()?;
        self.norms()?;
        self.columns()?;
        self.dropouts()?;
        self.losses()?;
        self.products()?;
        self.convolutions()?;
        self.moves()
    }

    fn name(&self) -> &'static str {
        self.device.precision.name()
    }

    fn tolerance(&self) -> Tolerance {
        tolerance(self.device.precision)
    }

    /// Values rounded to the type of activations.
    fn numbers(&self, seed: u64, len: usize) -> Vec<f32> {
        let mut values = numbers(seed, len);
        if self.device.element() == Element::Bf16 {
            values
                .iter_mut()
                .for_each(|v| *v = bf16::from_f32(*v).to_f32());
        }
        values
    }

    /// The values in GPU memory, in the type of activations.
    fn upload(&self, values: &[f32]) -> Result<Buffer, CudaError> {
        let wide = Buffer::from_host(&self.device.stream, values)?;
        if self.device.element() == Element::F32 {
            return Ok(wide);
        }
        let mut narrow = self.device.buffer(Element::Bf16, values.len())?;
        kernels::cast(self.device, wide.view(), narrow.view_mut())?;
        Ok(narrow)
    }

    fn empty(&self, len: usize) -> Result<Buffer, CudaError> {
        self.device.buffer(self.device.element(), len)
    }

    fn read(&self, view: View<'_>) -> Result<Vec<f32>, CudaError> {
        let mut wide = self.device.buffer(Element::F32, view.len)?;
        kernels::cast(self.device, view, wide.view_mut())?;
        wide.read(view.len)
    }

    fn compare(
        &mut self,
        what: &str,
        found: View<'_>,
        expected: &[f32],
        tolerance: f64,
    ) -> Result<(), CudaError> {
        let found = self.read(found)?;
        let name = self.name();
        self.tally.compare(what, name, &found, expected, tolerance);
        Ok(())
    }

    fn activations(&mut self) -> Result<(), CudaError> {
        let t = self.tolerance().pointwise;
        for (rows, channels) in [(1, 1), (37, 5), (129, 96), (3, 4097)] {
            let len = rows * channels;
            let (values, bias) = (self.numbers(1, len), numbers(2, channels));
            let gradient = self.numbers(3, len);
            let gpu_bias = Buffer::from_host(&self.device.stream, &bias)?;
            for function in [
                None,
                Some(Activation::Relu),
                Some(Activation::Tanh),
                Some(Activation::Sigmoid),
            ] {
                let mut expected = values.clone();
                Epilogue::new(&bias, function).apply(&mut expected);
                let mut output = self.upload(&values)?;
                let (to, add) = (output.view_mut(), Some(gpu_bias.view()));
                kernels::bias_activation(self.device, to, add, function)?;
                self.compare("bias and activation", output.view(), &expected, t)?;
                let Some(function) = function else { continue };
                let values = self.read(output.view())?;
                let mut expected = gradient.clone();
                activation::backward(function, &values, &mut expected);
                let mut found = self.upload(&gradient)?;
                let (output, to) = (output.view(), found.view_mut());
                kernels::activation_backward(self.device, function, output, to)?;
                self.compare("activation, backward", found.view(), &expected, t)?;
            }
            let mut expected = vec![0.0; channels];
            for row in gradient.chunks_exact(channels) {
                expected.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
            }
            let gradient = self.upload(&gradient)?;
            let mut sums = self.device.buffer(Element::F32, channels)?;
            let need = kernels::bias_scratch(rows, channels);
            let mut scratch = self.device.buffer(Element::F32, need)?;
            let (to, space) = (sums.view_mut(), scratch.view_mut());
            kernels::bias_gradient(self.device, gradient.view(), to, space)?;
            // Sums of the rounded values, so as exact in bf16.
            self.compare("bias gradient", sums.view(), &expected, 2e-5)?;
        }
        Ok(())
    }

    fn pools(&mut self) -> Result<(), CudaError> {
        for (rows, side, channels, kernel) in [(2, 7, 5, 3), (3, 13, 96, 3), (1, 8, 33, 2)] {
            let shape = PoolShape {
                height: side,
                width: side,
                channels,
                kernel,
                stride: 2,
                cut: false,
            };
            let values = self.numbers(4, rows * shape.input_len());
            let gradient = self.numbers(5, rows * shape.output_len());
            let mut output = vec![0.0; gradient.len()];
            let mut expected = vec![0.0; values.len()];
            let mut winners = vec![0; shape.output_len()];
            for row in 0..rows {
                let image = &values[row * shape.input_len()..][..shape.input_len()];
                let own = row * shape.output_len()..(row + 1) * shape.output_len();
                max_pool2d::forward(&shape, image, &mut output[own.clone()], &mut winners);
                let target = &mut expected[row * shape.input_len()..][..shape.input_len()];
                max_pool2d::backward(&shape, &winners, &gradient[own], target);
            }
            let input = self.upload(&values)?;
            let mut found = self.empty(output.len())?;
            let mut places = self.device.buffer(Element::U8, output.len())?;
            let (into, at) = (found.view_mut(), places.view_mut());
            let joined = PoolColumns::JOINED;
            kernels::max_pool(self.device, &shape, joined, rows, input.view(), into, at)?;
            self.compare("max pool", found.view(), &output, 0.0)?;
            let gradient = self.upload(&gradient)?;
            let mut back = self.empty(values.len())?;
            let (at, dy, into) = (places.view(), gradient.view(), back.view_mut());
            let from = PoolGradient {
                winners: at,
                gradient: dy,
                after_relu: None,
            };
            kernels::max_pool_backward(self.device, &shape, joined, rows, from, into)?;
            let t = self.tolerance().pointwise;
            self.compare("max pool, backward", back.view(), &expected, t)?;
        }
        Ok(())
    }

    fn norms(&mut self) -> Result<(), CudaError> {
        let config = LrnConfig {
            size: 5,
            k: 2.0,
            alpha: 1e-1,
            beta: 0.75,
        };
        let t = self.tolerance().pointwise;
        // Net 145's columns of 48 and 128 channels are pixels of as many.
        for (pixels, channels) in [(1, 3), (35, 17), (50, 96), (70, 48), (20, 128)] {
            for config in [
                config,
                LrnConfig {
                    beta: 0.5,
                    ..config
                },
            ] {
                let values: Vec<f32> = self.numbers(6, pixels * channels);
                let gradient = self.numbers(7, pixels * channels);
                let mut scratch = vec![0.0; lrn::scratch_len(channels, &config)];
                let mut expected = vec![0.0; values.len()];
                lrn::forward(&config, channels, &values, &mut scratch, &mut expected);
                let (input, dy) = (self.upload(&values)?, self.upload(&gradient)?);
                let mut found = self.empty(values.len())?;
                let (x, into) = (input.view(), found.view_mut());
                let all = NormChannels::joined(channels);
                kernels::lrn(self.device, &config, all, x, into)?;
                self.compare("response normalisation", found.view(), &expected, t)?;
                let target = &mut expected;
                lrn::backward(&config, channels, &values, &gradient, &mut scratch, target);
                let (x, dy, into) = (input.view(), dy.view(), found.view_mut());
                let from = NormGradient {
                    input: x,
                    gradient: dy,
                    after_relu: false,
                };
                kernels::lrn_backward(self.device, &config, all, from, into)?;
                self.compare(
                    "response normalisation, backward",
                    found.view(),
                    &expected,
                    t,
                )?;
            }
        }
        for (rows, side, channels) in [(2, 5, 3), (3, 13, 24)] {
            let shape = MapShape {
                height: side,
                width: side + 1,
                channels,
            };
            let len = shape.len();
            let (values, gradient) = (self.numbers(8, rows * len), self.numbers(9, rows * len));
            let mut scratch = vec![0.0; map_norm::scratch_len(&shape)];
            let (mut forward, mut backward) = (vec![0.0; rows * len], vec![0.0; rows * len]);
            for row in 0..rows {
                let own = row * len..(row + 1) * len;
                let (image, dy) = (&values[own.clone()], &gradient[own.clone()]);
                let target = &mut forward[own.clone()];
                map_norm::forward(&config, &shape, image, &mut scratch, target);
                let target = &mut backward[own];
                map_norm::backward(&config, &shape, image, dy, &mut scratch, target);
            }
            let (input, dy) = (self.upload(&values)?, self.upload(&gradient)?);
            let mut found = self.empty(values.len())?;
            let norm = MapNormLayer {
                name: String::new(),
                shape,
                config,
            };
            let (x, into) = (input.view(), found.view_mut());
            kernels::map_norm(self.device, &norm, [rows, 1], x, into)?;
            self.compare("map normalisation", found.view(), &forward, t)?;
            let (dy, into) = (dy.view(), found.view_mut());
            kernels::map_norm_backward(self.device, &norm, [rows, 1], x, dy, into)?;
            self.compare("map normalisation, backward", found.view(), &backward, t)?;
        }
        Ok(())
    }

    fn dropouts(&mut self) -> Result<(), CudaError> {
        let cases = [(0, 1, 0.5), (0, 1003, 0.5), (0, 4096, 0.1), (0, 77, 0.0)];
        let cases = cases.into_iter().chain([(1003, 2048, 0.5)]);
        for (first, len, rate) in cases {
            let key = MaskKey {
                seed: 11,
                step: 5_000_000_000,
                layer: 1,
            };
            let values = self.numbers(10, len);
            let mut whole = vec![0.0; first];
            whole.extend(&values);
            dropout::apply(&mut whole, rate, key, 0);
            let expected = &whole[first..];
            let input = self.upload(&values)?;
            let mut found = self.empty(len)?;
            let (x, into) = (input.view(), found.view_mut());
            kernels::dropout(self.device, rate, key, first, x, into)?;
            let t = self.tolerance().copied;
            self.compare("dropout", found.view(), expected, t)?;
        }
        Ok(())
    }

    fn losses(&mut self) -> Result<(), CudaError> {
        for (rows, classes) in [(1, 1), (7, 3), (129, 1000), (33, 1001)] {
            let mut logits = self.numbers(12, rows * classes);
            logits.iter_mut().for_each(|v| *v *= 8.0);
            // Equal logits: the lower class ranks first.
            if classes > 2 {
                logits[1] = logits[0];
            }
            let labels: Vec<i64> = (0..rows).map(|row| (row * 7 % classes) as i64).collect();
            let mut gradient = vec![0.0; logits.len()];
            let scores = cross_entropy::score(&logits, classes, &labels, &mut gradient);
            let input = self.upload(&logits)?;
            let gpu_labels = Buffer::from_host(&self.device.stream, &labels)?;
            let mut found = self.empty(logits.len())?;
            let mut sums = self.device.buffer(Element::F64, 3)?;
            let need = kernels::loss_scratch(rows);
            let mut scratch = self.device.buffer(Element::F32, need)?;
            // Twice, as sums are added to.
            for _ in 0..2 {
                let loss = Loss {
                    images: rows,
                    logits: input.view(),
                    labels: gpu_labels.view(),
                    gradient: Some(found.view_mut()),
                    sums: sums.view_mut(),
                    scratch: scratch.view_mut(),
                };
                kernels::cross_entropy(self.device, loss)?;
            }
            let t = self.tolerance().pointwise;
            self.compare("cross-entropy, gradient", found.view(), &gradient, t)?;
            let sums: Vec<f64> = sums.read(3)?;
            let name = self.name();
            let (loss, own) = ((sums[0] / 2.0) as f32, scores.loss as f32);
            self.tally
                .compare("cross-entropy", name, &[loss], &[own], 1e-5);
            let hits = [sums[1], sums[2]] == [2 * scores.top1, 2 * scores.top5].map(|n| n as f64);
            self.tally
                .expect(&format!("top-1 and top-5 hits of {rows}x{classes}"), hits);
        }
        Ok(())
    }
}
