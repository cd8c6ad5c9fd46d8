//! Losses and hits, summed and averaged over samples.

use serde::{Deserialize, Serialize};

/// Sums over samples from which a mean loss and error rates follow.
///
/// Sums in this order are part of a checkpoint, so that a resumed run reports the same figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Number of samples.
    pub samples: u64,
    /// Sum of the samples' losses.
    pub loss: f64,
    /// Samples whose class came first.
    pub top1: u64,
    /// Samples whose class was among the first five.
    pub top5: u64,
}

/// Means of a [`Tally`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Number of samples.
    pub samples: u64,
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Percentage of samples whose class did not come first.
    pub top1_error: f64,
    /// Percentage of samples whose class was not among the first five.
    pub top5_error: f64,
}

impl Tally {
    /// Adds `samples` samples with the mean loss `loss` and these numbers of hits.
    pub fn add(&mut self, samples: usize, loss: f64, top1: usize, top5: usize) {
        self.samples += samples as u64;
        self.loss += loss * samples as f64;
        self.top1 += top1 as u64;
        self.top5 += top5 as u64;
    }

    /// The means; `None` without samples.
    #[must_use]
    pub fn scores(&self) -> Option<Scores> {
        let n = self.samples as f64;
        let error = |hits: u64| 100.0 * (self.samples - hits) as f64 / n;
        (self.samples > 0).then(|| Scores {
            samples: self.samples,
            loss: self.loss / n,
            top1_error: error(self.top1),
            top5_error: error(self.top5),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn weighs_batches_by_their_size() {
        let mut tally = Tally::default();
        assert_eq!(tally.scores(), None);
        tally.add(3, 1.0, 1, 3);
        tally.add(1, 5.0, 1, 1);
        let scores = tally.scores().unwrap();
        assert_eq!(
            (scores.loss, scores.top1_error, scores.top5_error),
            (2.0, 50.0, 0.0)
        );
    }
}
