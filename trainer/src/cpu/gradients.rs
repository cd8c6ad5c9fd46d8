//! The mean gradient of several batches, and the length of a gradient.

use rayon::prelude::*;

/// Values of a task that adds gradients; sums do not depend on it.
const CHUNK: usize = 1 << 16;

/// Values of a partial sum of the norm; a constant, as the result depends on it.
const NORM_CHUNK: usize = 1 << 14;

/// Sums of gradients, each times its batch's share of the step's images.
#[derive(Default)]
pub(crate) struct Accumulator {
    sums: Vec<Vec<f32>>,
    /// Whether a batch of the current step has been added.
    begun: bool,
}

impl Accumulator {
    /// Adds a batch's gradients times `share`.
    pub(crate) fn add(&mut self, gradients: &[Vec<f32>], share: f32) {
        if self.sums.is_empty() {
            self.sums = gradients.iter().map(|g| vec![0.0; g.len()]).collect();
        }
        let begun = std::mem::replace(&mut self.begun, true);
        for (sum, gradient) in self.sums.iter_mut().zip(gradients) {
            let chunks = sum.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
            chunks.for_each(|(sum, gradient)| {
                for (sum, value) in sum.iter_mut().zip(gradient) {
                    *sum = if begun { *sum } else { 0.0 } + share * value;
                }
            });
        }
    }

    /// Exchanges the sums with `gradients` and starts the next step.
    pub(crate) fn finish(&mut self, gradients: &mut Vec<Vec<f32>>) {
        std::mem::swap(&mut self.sums, gradients);
        self.begun = false;
    }
}

/// The L2 norm of all gradients as one vector; not finite if one of their values is not.
pub(crate) fn norm(gradients: &[Vec<f32>]) -> f64 {
    let of_one = |gradient: &Vec<f32>| -> f64 {
        let parts: Vec<f64> = gradient
            .par_chunks(NORM_CHUNK)
            .map(|chunk| chunk.iter().map(|&value| f64::from(value).powi(2)).sum())
            .collect();
        parts.iter().sum()
    };
    gradients.iter().map(of_one).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::norm;

    #[test]
    fn the_norm_is_that_of_one_vector_and_shows_non_finite_values() {
        assert_eq!(
            norm(&[vec![3.0; 16], vec![], vec![5.0; 25]]),
            (144.0f64 + 625.0).sqrt()
        );
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(!norm(&[vec![1.0], vec![1.0, bad]]).is_finite());
        }
    }
}
