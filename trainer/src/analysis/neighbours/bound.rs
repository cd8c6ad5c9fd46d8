//! How far a distance by an f32 product can be from the distance in f64.

/// Unit roundoff of f32 and of f64.
const ROUNDOFF_32: f64 = (f32::EPSILON / 2.0) as f64;
const ROUNDOFF_64: f64 = f64::EPSILON / 2.0;

/// The least and the largest that the squared distance of a pair can be in f64.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// How far the squared distance by an f32 product can be from the one that is summed in f64, for rows of one
/// length.
///
/// A sum of n products has, in any order and with or without fused operations, an error of at most
/// n u / (1 - n u) times the sum of the products' magnitudes (Higham, Accuracy and Stability of Numerical
/// Algorithms, 2nd ed., section 3.1), which is at most the product of the two norms (Cauchy-Schwarz).
pub(super) struct ErrorBound {
    /// Of a product, as a share of the product of the norms.
    product: f64,
    /// Of a product whose terms are too small for f32.
    underflow: f64,
    /// Of each f64 sum, as a share of it; at least twice what it can be.
    sum: f64,
}

impl ErrorBound {
    pub(super) fn new(len: usize) -> Self {
        let n = (len + 2) as f64;
        // Above that the bound says nothing, and every row is compared in f64.
        let product = if n * ROUNDOFF_32 < 0.5 {
            n * ROUNDOFF_32 / (1.0 - n * ROUNDOFF_32)
        } else {
            f64::INFINITY
        };
        Self {
            product,
            underflow: n * f64::from(f32::MIN_POSITIVE),
            sum: 2.0 * (n + 16.0) * ROUNDOFF_64,
        }
    }

    /// The bounds for two rows with these sums of squares and this product.
    pub(super) fn bounds(&self, query: f64, row: f64, product: f32) -> Bounds {
        let squares = query + row;
        let distance = squares - 2.0 * f64::from(product);
        let error = 2.0 * (self.product * (query * row).sqrt() * (1.0 + self.sum) + self.underflow)
            + self.sum * squares;
        let (lower, upper) = (distance - error, distance + error);
        // Products that overflow say nothing.
        if !(lower.is_finite() && upper.is_finite()) {
            return Bounds {
                lower: 0.0,
                upper: f64::INFINITY,
            };
        }
        Bounds {
            lower: (lower * (1.0 - self.sum)).max(0.0),
            upper: (upper * (1.0 + self.sum)).max(0.0),
        }
    }
}
