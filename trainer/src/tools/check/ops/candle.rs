//! A convolution of candle tensors on a GPU against the same on the CPU, twice: the second call finds a plan.

use candle_core::{Device, Tensor};

use crate::candle_ops::conv2d;
use crate::net::ModelError;
use crate::net::config::Activation;
use crate::net::shape::ConvShape;
use crate::run::error::TrainError;
use crate::tools::check::comparisons::Comparisons;
use crate::tools::check::numbers;

/// Largest difference that is allowed, over the largest value: sums in another order.
const TOLERANCE: f64 = 2e-5;

/// Rows of the calls: the third has a plan of its own, the others share one.
const ROWS: [usize; 4] = [3, 3, 5, 3];

const SHAPE: ConvShape = ConvShape {
    height: 13,
    width: 13,
    inputs: 16,
    outputs: 24,
    kernel: 3,
    stride: 1,
    before: 1,
    after: 1,
    groups: 2,
};

/// Compares the calls on GPU `number`.
pub(in crate::tools::check) fn run(
    number: usize,
    tally: &mut Comparisons,
) -> Result<(), TrainError> {
    let gpu = Device::new_cuda_with_stream(number).map_err(ModelError::from)?;
    for (call, rows) in ROWS.into_iter().enumerate() {
        let found = convolved(&gpu, call as u64, rows).map_err(ModelError::from)?;
        let expected = convolved(&Device::Cpu, call as u64, rows).map_err(ModelError::from)?;
        tally.compare(
            "conv2d of candle tensors",
            "f32",
            &found,
            &expected,
            TOLERANCE,
        );
    }
    Ok(())
}

fn convolved(device: &Device, seed: u64, rows: usize) -> candle_core::Result<Vec<f32>> {
    let s = SHAPE;
    let tensor = |seed: u64, dims: &[usize]| {
        let values = numbers(seed, dims.iter().product());
        Tensor::from_vec(values, dims, device)
    };
    let images = tensor(seed, &[rows, s.height, s.width, s.inputs])?;
    let weight = tensor(
        50 + seed,
        &[s.outputs, s.kernel, s.kernel, s.group_inputs()],
    )?;
    let bias = tensor(100 + seed, &[s.outputs])?;
    conv2d(&images, &weight, &bias, s, Some(Activation::Relu))?
        .flatten_all()?
        .to_vec1()
}
