//! Mean colour, standard deviation and principal colour components of a dataset.

use serde::{Deserialize, Serialize};

use crate::sums::ChannelSums;

/// Colour statistics of a split on the 0-255 scale, channels in the order R, G, B.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Mean of each channel.
    pub mean: [f64; 3],
    /// Standard deviation of each channel over all pixels.
    pub std: [f64; 3],
    /// Eigenvalues of the 3x3 covariance of the channels, in descending order.
    pub eigenvalues: [f64; 3],
    /// `eigenvectors[k]` is the unit vector (R, G, B) of `eigenvalues[k]`; its largest component is
    /// positive.
    pub eigenvectors: [[f64; 3]; 3],
}

impl ChannelSums {
    /// Mean, standard deviation and principal colour components; `None` without pixels.
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        if self.pixels == 0 {
            return None;
        }
        let n = self.pixels as f64;
        let mean = self.sum.map(|sum| sum as f64 / n);
        let [rr, rg, rb, gg, gb, bb] = self.products;
        let products = [[rr, rg, rb], [rg, gg, gb], [rb, gb, bb]];
        let covariance: [[f64; 3]; 3] = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                // n * sum(xy) - sum(x) * sum(y), exact in 128 bits, so nothing cancels.
                let exact = i128::from(self.pixels) * i128::from(products[i][j])
                    - i128::from(self.sum[i]) * i128::from(self.sum[j]);
                exact as f64 / n / n
            })
        });
        let (eigenvalues, eigenvectors) = eigen(covariance);
        let std = std::array::from_fn(|i| covariance[i][i].sqrt());
        Some(Statistics {
            mean,
            std,
            eigenvalues,
            eigenvectors,
        })
    }
}

impl Statistics {
    /// Whether every number is finite and the spreads are not negative.
    #[must_use]
    pub(crate) fn is_sound(&self) -> bool {
        let vectors = self.eigenvectors.iter().flatten();
        self.mean.iter().chain(vectors).all(|x| x.is_finite())
            && self
                .std
                .iter()
                .chain(&self.eigenvalues)
                .all(|x| x.is_finite() && *x >= 0.0)
    }
}

/// Eigenvalues (descending) and unit eigenvectors of a symmetric matrix by cyclic Jacobi rotations
/// (Golub and Van Loan, "Matrix Computations", section 8.5).
fn eigen(mut a: [[f64; 3]; 3]) -> ([f64; 3], [[f64; 3]; 3]) {
    // Columns of `v` become the eigenvectors. Convergence is quadratic: six sweeps are ample.
    let mut v = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..16 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] == 0.0 {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
            let c = 1.0 / (t * t + 1.0).sqrt();
            let s = t * c;
            for row in &mut a {
                (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
            }
            let (row_p, row_q) = (a[p], a[q]);
            a[p] = std::array::from_fn(|k| c * row_p[k] - s * row_q[k]);
            a[q] = std::array::from_fn(|k| s * row_p[k] + c * row_q[k]);
            for row in &mut v {
                (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
            }
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]));
    let values = order.map(|i| a[i][i].max(0.0));
    let vectors = order.map(|i| {
        let vector = [v[0][i], v[1][i], v[2][i]];
        let largest = vector
            .iter()
            .fold(0.0_f64, |m, x| if x.abs() > m.abs() { *x } else { m });
        vector.map(|x| if largest < 0.0 { -x } else { x })
    });
    (values, vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(rgb: &[u8]) -> Statistics {
        let mut sums = ChannelSums::default();
        sums.add_image(rgb);
        sums.statistics().unwrap()
    }

    #[test]
    fn mean_and_spread_of_a_known_image() {
        let s = statistics(&[0, 10, 255, 100, 20, 255]);
        assert_eq!(s.mean, [50.0, 15.0, 255.0]);
        assert_eq!(s.std, [50.0, 5.0, 0.0]);
        assert!(ChannelSums::default().statistics().is_none());
    }

    #[test]
    fn eigenvectors_solve_the_eigenproblem_in_falling_order() {
        // The covariance of ImageNet's 2014 metadata, rebuilt from its published deviations and axes.
        let axes = [
            [0.56351, 0.57618, 0.592],
            [0.71258, 0.02354, -0.7012],
            [0.41796, -0.81698, 0.39731],
        ];
        let deviations = [121.7801, 37.0939, 19.7208_f64];
        let matrix: [[f64; 3]; 3] = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                (0..3)
                    .map(|k| deviations[k].powi(2) * axes[k][i] * axes[k][j])
                    .sum()
            })
        });
        let (values, vectors) = eigen(matrix);
        for k in 0..3 {
            assert!(
                (values[k].sqrt() / deviations[k] - 1.0).abs() < 1e-4,
                "value {k}"
            );
            let norm: f64 = vectors[k].iter().map(|x| x * x).sum();
            assert!((norm - 1.0).abs() < 1e-12);
            for i in 0..3 {
                let product: f64 = (0..3).map(|j| matrix[i][j] * vectors[k][j]).sum();
                assert!((product - values[k] * vectors[k][i]).abs() < 1e-8);
            }
            let largest = vectors[k]
                .iter()
                .copied()
                .max_by(|a, b| a.abs().total_cmp(&b.abs()));
            assert!(largest.unwrap() > 0.0, "vector {k} points the wrong way");
        }
        assert!(values[0] >= values[1] && values[1] >= values[2]);
    }

    #[test]
    fn grey_images_have_one_component() {
        let rgb: Vec<u8> = (0..=255).flat_map(|v| [v, v, v]).collect();
        let s = statistics(&rgb);
        assert!(s.eigenvalues[1] < 1e-9 && s.eigenvalues[2] < 1e-9);
        assert!(
            s.eigenvectors[0]
                .iter()
                .all(|x| (x - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12)
        );
    }
}
