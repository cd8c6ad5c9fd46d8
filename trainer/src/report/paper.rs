//! Figures of the paper and of the authors' source, for comparison. Every place that shows one says whose it is.

/// Mean of R, G, B over the training images of ImageNet, on the 0-255 scale; the authors' source of 2014.
pub(crate) const IMAGENET_MEAN: [f64; 3] = [127.305, 119.715, 104.913];

/// Standard deviation of ImageNet's pixels along each of [`IMAGENET_COMPONENTS`], on the 0-255 scale; the same
/// source.
pub(crate) const IMAGENET_DEVIATIONS: [f64; 3] = [121.7801, 37.0939, 19.7208];

/// Principal components (R, G, B) of ImageNet's colours, the largest first, each with its largest value positive;
/// the same source.
pub(crate) const IMAGENET_COMPONENTS: [[f64; 3]; 3] = [
    [0.56351, 0.57618, 0.59200],
    [0.71258, 0.02354, -0.70120],
    [-0.41796, 0.81698, -0.39731],
];

/// A row of the paper's results: errors in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaperRow {
    pub(crate) what: &'static str,
    pub(crate) center: Option<PaperErrors>,
    pub(crate) ten: Option<PaperErrors>,
}

/// Errors in percent as the paper prints them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaperErrors {
    pub(crate) top1: f64,
    pub(crate) top5: f64,
}

/// Table 1 with the text of section 4.1, and Table 2's single network.
pub(crate) const PAPER_ROWS: [PaperRow; 2] = [
    PaperRow {
        what: "ILSVRC-2010 test set, 1,000 classes (Table 1 and section 4.1)",
        center: Some(PaperErrors {
            top1: 39.0,
            top5: 18.3,
        }),
        ten: Some(PaperErrors {
            top1: 37.5,
            top5: 17.0,
        }),
    },
    PaperRow {
        what: "ILSVRC-2012 validation set, 1,000 classes, one network (Table 2)",
        center: None,
        ten: Some(PaperErrors {
            top1: 40.7,
            top5: 18.2,
        }),
    },
];

#[cfg(test)]
mod tests {
    use super::IMAGENET_COMPONENTS;

    #[test]
    fn components_are_unit_vectors_at_right_angles() {
        for (i, a) in IMAGENET_COMPONENTS.iter().enumerate() {
            for (j, b) in IMAGENET_COMPONENTS.iter().enumerate() {
                let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                let expected = f64::from(u8::from(i == j));
                assert!((product - expected).abs() < 1e-4, "{i} {j}: {product}");
            }
        }
    }
}
