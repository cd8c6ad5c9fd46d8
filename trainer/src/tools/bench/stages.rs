//! Each layer by itself: its forward and its backward pass over a batch, as a step runs them.

use std::time::Instant;

use rayon::prelude::*;

use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::gemm::{Matrix, MatrixMut, Threads, Write, multiply};
use crate::cpu::ops::{dropout, linear};
use crate::cpu::{Network, single_layer};
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
    let model = network.model();
    let layers = model.layers();
    let parameters = |layers: &[Layer]| 2 * layers.iter().filter(|l| l.has_parameters()).count();
    for (number, layer) in layers.iter().enumerate() {
        let first = number.saturating_sub(1);
        let own = parameters(&layers[..first])..parameters(&layers[..=number]);
        let own = model.parameters()[own].iter();
        let values: Vec<Vec<f32>> = own.map(|p| p.values().to_vec()).collect();
        let values: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let [forward, backward] = match layer {
            Layer::Linear(_) | Layer::Dropout(_) => whole(layer, &values, batch, times),
            _ => {
                let image = random_images(1, input_len(layer));
                let gradient = random_images(2, layer.output_len());
                let time = |work: &mut dyn FnMut()| shortest(times, work);
                let layers = &layers[first..=number];
                single_layer(layers, &values, batch, &image, &gradient, time)
            }
        };
        let flops = 2.0 * (batch * layer.multiply_adds()) as f64;
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
        peak_gflops: Some(peak),
        rows,
    })
}

fn input_len(layer: &Layer) -> usize {
    match layer {
        Layer::Conv(conv) => conv.shape.input_len(),
        Layer::Pool(pool) => pool.shape.input_len(),
        Layer::Linear(linear) => linear.inputs,
        Layer::Lrn(_) | Layer::MapNorm(_) | Layer::Dropout(_) => layer.output_len(),
    }
}

/// The layers that run over the whole batch at once.
fn whole(layer: &Layer, parameters: &[&[f32]], batch: usize, times: usize) -> [f64; 2] {
    let (inputs, outputs) = (input_len(layer), layer.output_len());
    let input = random_images(1, batch * inputs);
    let mut output = random_images(2, batch * outputs);
    let mut into = vec![0.0; batch * inputs];
    match layer {
        Layer::Linear(linear) => {
            let [.., weight, bias] = parameters else {
                unreachable!("it has both")
            };
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
            [forward, backward]
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
            [seconds, seconds]
        }
        _ => unreachable!("run image by image"),
    }
}
