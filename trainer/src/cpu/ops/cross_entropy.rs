//! Softmax cross-entropy, its gradient, and top-1 and top-5 hits, in one pass over the logits.

/// Sums over the rows of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Sum of the rows' losses, in nats.
    pub loss: f64,
    /// Rows whose label has the highest logit.
    pub top1: usize,
    /// Rows whose label is among the five highest logits.
    pub top5: usize,
}

/// Scores `logits`, rows of `classes` values, against `labels`; unless `gradient` is empty, writes
/// there the gradient of the mean loss.
///
/// Of equal logits, the class of the lower number ranks first; a label whose logit is NaN is no hit.
///
/// # Panics
/// If a label is not a class.
pub fn score(logits: &[f32], classes: usize, labels: &[i64], gradient: &mut [f32]) -> Scores {
    let mut scores = Scores::default();
    let mut exponentials = vec![0.0_f64; classes];
    for (row, (&label, logits)) in labels.iter().zip(logits.chunks_exact(classes)).enumerate() {
        let label = usize::try_from(label).expect("labels are checked to be classes");
        let chosen = logits[label];
        let rank = rank(logits, label);
        scores.top1 += usize::from(rank < 1);
        scores.top5 += usize::from(rank < 5);

        let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let mut sum = 0.0;
        for (exponential, &logit) in exponentials.iter_mut().zip(logits) {
            *exponential = libm::exp(f64::from(logit) - largest);
            sum += *exponential;
        }
        scores.loss += libm::log(sum) + largest - f64::from(chosen);
        if gradient.is_empty() {
            continue;
        }
        let gradient = &mut gradient[row * classes..(row + 1) * classes];
        let scale = 1.0 / labels.len() as f64;
        for (class, (g, exponential)) in gradient.iter_mut().zip(&exponentials).enumerate() {
            let target = f64::from(u8::from(class == label));
            *g = ((exponential / sum - target) * scale) as f32;
        }
    }
    scores
}

/// How many classes rank before `label`.
fn rank(logits: &[f32], label: usize) -> usize {
    let chosen = logits[label];
    if chosen.is_nan() {
        return usize::MAX;
    }
    let before = |(class, &logit): (usize, &f32)| {
        logit > chosen || logit.is_nan() || (logit == chosen && class < label)
    };
    logits
        .iter()
        .enumerate()
        .filter(|&pair| before(pair))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_cost_the_log_of_the_classes() {
        let scores = score(&[3.0; 20], 10, &[0, 7], &mut []);
        assert!((scores.loss / 2.0 - 10_f64.ln()).abs() < 1e-12);
        assert_eq!((scores.top1, scores.top5), (1, 1));
    }

    #[test]
    fn hits_follow_the_rank_of_the_label() {
        let logits = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0];
        for (label, expected) in [(0, (1, 1)), (4, (0, 1)), (5, (0, 0))] {
            let scores = score(&logits, 6, &[label], &mut []);
            assert_eq!((scores.top1, scores.top5), expected, "label {label}");
        }
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let mut gradient = [0.0; 2];
        let scores = score(&[1e4, -1e4], 2, &[1], &mut gradient);
        assert_eq!(scores.loss, 2e4);
        assert_eq!(gradient, [1.0, -1.0]);
    }

    #[test]
    fn nan_shows_in_the_loss_and_is_no_hit() {
        let scores = score(&[f32::NAN, f32::NAN], 2, &[0], &mut []);
        assert!(scores.loss.is_nan());
        assert_eq!((scores.top1, scores.top5), (0, 0));
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let (logits, labels) = ([0.5, -1.0, 2.0, 0.1, 0.3, -0.2_f32], [2, 0]);
        let mut gradient = [0.0; 6];
        score(&logits, 3, &labels, &mut gradient);
        for i in 0..logits.len() {
            let at = |step: f32| {
                let mut moved = logits;
                moved[i] += step;
                score(&moved, 3, &labels, &mut []).loss / 2.0
            };
            let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
            assert!((f64::from(gradient[i]) - slope).abs() < 1e-4, "logit {i}");
        }
    }
}
