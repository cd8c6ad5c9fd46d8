//! Each layer by itself: its forward and its backward pass over a batch, as a step runs them.

use std::sync::Mutex;
use std::time::Instant;

use rayon::prelude::*;

use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::dropout;
use crate::cpu::ops::gemm::{Matrix, MatrixMut, Threads, Write, multiply};
use crate::cpu::ops::winograd::{self, Weights};
use crate::cpu::ops::{activation, conv2d, linear, lrn, map_norm, max_pool2d};
use crate::cpu::{CHUNK, Network, plan};
use crate::net::MaskKey;
use crate::net::ModelError;
use crate::net::layer::Layer;
use crate::net::sgd::{Sgd, SgdConfig};
use crate::tools::bench::{Stage, Stages, random_images};

/// Side of the square matrices whose product gives the machine's peak: large enough for the packing to
/// be small beside it.
const PEAK_SIDE: usize = 2048;

/// Values of a dropout task, as in a step.
const DROPOUT_CHUNK: usize = 1 << 14;

/// The shortest of `times` calls.
fn shortest(times: usize, mut work: impl FnMut()) -> f64 {
    let seconds = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..times.max(1)).map(seconds).fold(f64::INFINITY, f64::min)
}

/// GFLOP/s of the largest product that the machine can do at its best.
fn peak(times: usize) -> f64 {
    let n = PEAK_SIDE;
    let (a, b, mut c) = (vec![0.5; n * n], vec![0.25; n * n], vec![0.0; n * n]);
    let seconds = shortest(times + 2, || {
        multiply(
            MatrixMut::new(&mut c, n, n, n),
            Write::Replace,
            Matrix::new(&a, n, n, n),
            Matrix::new(&b, n, n, n),
            Threads::All,
        );
    });
    2.0 * (n as f64).powi(3) / seconds / 1e9
}

/// What the threads of an image-by-image layer write to.
struct Buffers {
    scratch: Vec<f32>,
    output: Vec<f32>,
    winners: Vec<u8>,
    input_gradient: Vec<f32>,
    weight_gradient: Vec<f32>,
    bias_gradient: Vec<f32>,
}

/// Buffers of as many threads as there are, lent out and given back.
struct Lent(Mutex<Vec<Buffers>>);

impl Lent {
    fn new(make: impl Fn() -> Buffers) -> Self {
        let threads = rayon::current_num_threads();
        Self(Mutex::new((0..threads).map(|_| make()).collect()))
    }

    /// Runs `work` `times` times on all threads.
    fn run(&self, times: usize, work: impl Fn(&mut Buffers) + Sync) {
        (0..times).into_par_iter().for_each(|_| {
            let lent = self.0.lock().expect("no panic while it is held").pop();
            let mut buffers = lent.expect("as many as threads");
            work(&mut buffers);
            self.0
                .lock()
                .expect("no panic while it is held")
                .push(buffers);
        });
    }
}

/// Measures every layer of `network` on `batch` images, and the update.
///
/// # Errors
/// What the update reports.
pub(super) fn measure(
    network: &mut Network,
    sgd: &mut Sgd,
    batch: usize,
    times: usize,
) -> Result<Stages, ModelError> {
    let peak = peak(times);
    let mut rows = Vec::new();
    let mut parameter = 0;
    let model = network.model();
    for (number, layer) in model.layers().iter().enumerate() {
        let (weight, bias) = match layer {
            Layer::Conv(_) | Layer::Linear(_) => {
                let pair = &model.parameters()[parameter..parameter + 2];
                parameter += 2;
                (pair[0].values().to_vec(), pair[1].values().to_vec())
            }
            _ => (Vec::new(), Vec::new()),
        };
        let (forward, backward) = one(layer, number == 0, &weight, &bias, batch, times);
        let flops = 2.0 * (batch * multiply_adds(layer)) as f64;
        // The backward pass has the forward pass's products twice, but once for the image itself.
        let twice = if number == 0 { 1.0 } else { 2.0 };
        let share = |flops: f64, seconds: f64| (flops > 0.0).then(|| flops / seconds / 1e9 / peak);
        rows.push(Stage {
            stage: layer.name().to_owned(),
            forward,
            backward: Some(backward),
            forward_of_peak: share(flops, forward),
            backward_of_peak: share(twice * flops, backward),
        });
    }
    let mut failed = Ok(());
    let still = SgdConfig::default().rates(0.0);
    let seconds = shortest(times, || failed = network.update(sgd, &still));
    failed?;
    rows.push(Stage::whole("sgd", seconds));
    Ok(Stages {
        peak_gflops: peak,
        rows,
    })
}

fn multiply_adds(layer: &Layer) -> usize {
    match layer {
        Layer::Conv(conv) => conv.shape.output_pixels() * conv.shape.weight_len(),
        Layer::Linear(linear) => linear.inputs * linear.outputs,
        _ => 0,
    }
}

fn input_len(layer: &Layer) -> usize {
    match layer {
        Layer::Conv(conv) => conv.shape.input_len(),
        Layer::Pool(pool) => pool.shape.input_len(),
        Layer::Linear(linear) => linear.inputs,
        Layer::Lrn(_) | Layer::MapNorm(_) | Layer::Dropout(_) => layer.output_len(),
    }
}

/// Seconds of one layer's two passes.
fn one(
    layer: &Layer,
    first: bool,
    weight: &[f32],
    bias: &[f32],
    batch: usize,
    times: usize,
) -> (f64, f64) {
    if matches!(layer, Layer::Linear(_) | Layer::Dropout(_)) {
        return whole(layer, weight, bias, batch, times);
    }
    let plan = plan(layer, CHUNK.min(batch));
    let images = plan.map_or(1, |plan| plan.images);
    let (inputs, outputs) = (images * input_len(layer), images * layer.output_len());
    // The values of these images serve for all: what is measured does not depend on them.
    let input = random_images(1, inputs);
    let gradient = random_images(2, outputs);
    let pool = matches!(layer, Layer::Pool(_));
    let buffers = Lent::new(|| Buffers {
        scratch: vec![0.0; plan.map_or(scratch_len(layer), |plan| plan.scratch_len(true))],
        output: vec![0.0; outputs],
        winners: vec![0; if pool { outputs } else { 0 }],
        input_gradient: vec![0.0; inputs],
        weight_gradient: vec![0.0; weight.len()],
        bias_gradient: vec![0.0; bias.len()],
    });
    let runs = batch.div_ceil(images);
    let mut weights = Weights::default();
    let forward = shortest(times, || {
        if let (Some(plan), Layer::Conv(conv)) = (&plan, layer) {
            weights.set(plan, weight);
            buffers.run(runs, |b| {
                let (scratch, output) = (&mut b.scratch, &mut b.output);
                let epilogue = Epilogue::new(bias, conv.activation);
                winograd::forward(plan, &input, &weights, epilogue, scratch, output);
            });
        } else {
            buffers.run(runs, |b| forward(layer, &input, weight, bias, b));
        }
    });
    let backward = shortest(times, || {
        if let (Some(plan), Layer::Conv(conv)) = (&plan, layer) {
            buffers.run(runs, |b| {
                b.output.copy_from_slice(&gradient);
                if let Some(function) = conv.activation {
                    activation::backward(function, &gradient, &mut b.output);
                }
                let into = winograd::Gradients {
                    weight: &mut b.weight_gradient,
                    bias: &mut b.bias_gradient,
                    images: &mut b.input_gradient,
                };
                winograd::backward(plan, &input, &weights, &b.output, &mut b.scratch, into);
            });
        } else {
            buffers.run(runs, |b| {
                backward(layer, first, &input, &gradient, weight, b);
            });
        }
    });
    (forward, backward)
}

fn scratch_len(layer: &Layer) -> usize {
    match layer {
        Layer::Conv(conv) => conv2d::scratch_len(&conv.shape),
        Layer::Lrn(norm) => lrn::scratch_len(norm.column_channels(), &norm.config),
        Layer::MapNorm(norm) => map_norm::scratch_len(&norm.shape),
        _ => 0,
    }
}

fn forward(layer: &Layer, input: &[f32], weight: &[f32], bias: &[f32], b: &mut Buffers) {
    let (scratch, output) = (&mut b.scratch, &mut b.output);
    match layer {
        Layer::Conv(conv) => {
            let epilogue = Epilogue::new(bias, conv.activation);
            conv2d::forward(&conv.shape, input, weight, epilogue, scratch, output);
        }
        Layer::Lrn(norm) => {
            let channels = norm.column_channels();
            lrn::forward(&norm.config, channels, input, scratch, output);
        }
        Layer::MapNorm(norm) => {
            map_norm::forward(&norm.config, &norm.shape, input, scratch, output);
        }
        Layer::Pool(pool) => max_pool2d::forward(&pool.shape, input, output, &mut b.winners),
        Layer::Linear(_) | Layer::Dropout(_) => unreachable!("run over the whole batch"),
    }
}

fn backward(
    layer: &Layer,
    first: bool,
    input: &[f32],
    gradient: &[f32],
    weight: &[f32],
    b: &mut Buffers,
) {
    let (scratch, into) = (&mut b.scratch, &mut b.input_gradient);
    match layer {
        Layer::Conv(conv) => {
            let shape = &conv.shape;
            b.output.copy_from_slice(gradient);
            if let Some(function) = conv.activation {
                activation::backward(function, gradient, &mut b.output);
            }
            let (w, bias) = (&mut b.weight_gradient, &mut b.bias_gradient);
            conv2d::backward_weight(shape, input, &b.output, scratch, w, bias);
            if !first {
                conv2d::backward_input(shape, weight, &b.output, scratch, into);
            }
        }
        Layer::Lrn(norm) => {
            let channels = norm.column_channels();
            lrn::backward(&norm.config, channels, input, gradient, scratch, into);
        }
        Layer::MapNorm(norm) => {
            map_norm::backward(&norm.config, &norm.shape, input, gradient, scratch, into);
        }
        Layer::Pool(pool) => max_pool2d::backward(&pool.shape, &b.winners, gradient, into),
        Layer::Linear(_) | Layer::Dropout(_) => unreachable!("run over the whole batch"),
    }
}

/// The layers that run over the whole batch at once.
fn whole(layer: &Layer, weight: &[f32], bias: &[f32], batch: usize, times: usize) -> (f64, f64) {
    let (inputs, outputs) = (input_len(layer), layer.output_len());
    let input = random_images(1, batch * inputs);
    let mut output = random_images(2, batch * outputs);
    let mut into = vec![0.0; batch * inputs];
    match layer {
        Layer::Linear(linear) => {
            let (mut w, mut b) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
            let mut scratch = vec![0.0; linear::scratch_len(batch, outputs)];
            let forward = shortest(times, || {
                let epilogue = Epilogue::new(bias, linear.activation);
                linear::forward(inputs, &input, weight, epilogue, &mut scratch, &mut output);
            });
            let backward = shortest(times, || {
                linear::backward_weight(inputs, &input, &output, &mut w, &mut b);
                linear::backward_input(inputs, weight, &output, &mut into);
            });
            (forward, backward)
        }
        Layer::Dropout(drop) => {
            let key = MaskKey {
                seed: 1,
                step: 1,
                layer: 0,
            };
            let seconds = shortest(times, || {
                output.copy_from_slice(&input);
                let chunks = output.par_chunks_mut(DROPOUT_CHUNK).enumerate();
                chunks.for_each(|(i, chunk)| {
                    dropout::apply(chunk, drop.rate, key, i * DROPOUT_CHUNK);
                });
            });
            (seconds, seconds)
        }
        _ => unreachable!("run image by image"),
    }
}
