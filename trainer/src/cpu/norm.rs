//! The length of the gradient.

use rayon::prelude::*;

/// Values of a partial sum; a constant, as the result depends on it.
const CHUNK: usize = 1 << 14;

/// The norm of all gradients as one vector; not finite if one of their values is not.
pub(crate) fn norm(gradients: &[Vec<f32>]) -> f64 {
    let of_one = |gradient: &Vec<f32>| -> f64 {
        let parts: Vec<f64> = gradient
            .par_chunks(CHUNK)
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
    fn is_that_of_one_vector_and_shows_what_is_no_number() {
        assert_eq!(
            norm(&[vec![3.0; 16], vec![], vec![5.0; 25]]),
            (144.0f64 + 625.0).sqrt()
        );
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(!norm(&[vec![1.0], vec![1.0, bad]]).is_finite());
        }
    }
}
