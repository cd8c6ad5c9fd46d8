//! The metrics of a step from several GPUs.

use crate::cuda::NUMBERS;
use crate::net::{StepMetrics, StepOutput};

/// A step in which the GPUs had different gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GradientMismatch {
    /// The step, counted from 0 among those given.
    pub(crate) step: usize,
    /// The index of the GPU whose gradient differs from the first one's.
    pub(crate) device: usize,
}

/// The metrics of steps of `images` images each, from [`NUMBERS`] numbers a step of each GPU. Sums are
/// in the GPUs' order.
///
/// # Errors
/// Every GPU has the gradient of the whole batch, so its length must be the same to the bit on all.
///
/// # Panics
/// If a GPU has fewer numbers.
pub(crate) fn join(
    images: &[usize],
    gpus: &[Vec<f64>],
) -> Result<Vec<StepMetrics>, GradientMismatch> {
    let of_step = |(step, &images): (usize, &usize)| {
        let of_gpu = |gpu: usize| -> &[f64] { &gpus[gpu][step * NUMBERS..][..NUMBERS] };
        let norm = of_gpu(0)[3];
        let same =
            |other: f64| norm.to_bits() == other.to_bits() || norm.is_nan() && other.is_nan();
        if let Some(device) = (1..gpus.len()).find(|&gpu| !same(of_gpu(gpu)[3])) {
            return Err(GradientMismatch { step, device });
        }
        let sum = |number: usize| -> f64 { (0..gpus.len()).map(|gpu| of_gpu(gpu)[number]).sum() };
        Ok(StepMetrics {
            images,
            output: StepOutput {
                loss: sum(0) / images as f64,
                top1: sum(1) as usize,
                top5: sum(2) as usize,
            },
            norm: norm.sqrt(),
        })
    };
    images.iter().enumerate().map(of_step).collect()
}

#[cfg(test)]
mod tests {
    use super::{GradientMismatch, join};

    #[test]
    fn sums_losses_and_hits_and_keeps_the_norm() {
        let gpus = [
            vec![6.0, 1.0, 2.0, 25.0, 2.0, 0.0, 1.0, 4.0],
            vec![3.0, 0.0, 1.0, 25.0, 1.0, 1.0, 1.0, 4.0],
        ];
        let seen = join(&[3, 2], &gpus).unwrap();
        let figures = seen.iter().map(|s| {
            (
                s.images,
                s.output.loss,
                s.output.top1,
                s.output.top5,
                s.norm,
            )
        });
        assert_eq!(
            figures.collect::<Vec<_>>(),
            [(3, 3.0, 1, 3, 5.0), (2, 1.5, 1, 2, 2.0)]
        );
    }

    #[test]
    fn different_gradients_are_an_error() {
        let one = vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let mut other = one.clone();
        other[7] = 1.0 + f64::EPSILON;
        let mismatch = GradientMismatch { step: 1, device: 2 };
        assert_eq!(
            join(&[1, 1], &[one.clone(), one.clone(), other]),
            Err(mismatch)
        );
        assert!(join(&[1, 1], &[one.clone(), one]).is_ok());
    }

    #[test]
    fn a_non_finite_gradient_is_reported_as_such() {
        let gpus = [
            vec![0.0, 0.0, 0.0, f64::NAN],
            vec![0.0, 0.0, 0.0, -f64::NAN],
        ];
        assert!(join(&[1], &gpus).unwrap()[0].norm.is_nan());
    }
}
