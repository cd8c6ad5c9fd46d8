//! What can be known of a split without looking at an image.

use shardmill_formats::{Class, Printable};
use shardmill_loader::Dataset;

/// Share of the labels' entropy under which the loss has left it.
const LEFT: f64 = 0.995;

/// What can be known of a split's labels without looking at an image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prior {
    /// Entropy of the label frequencies, in nats.
    pub(super) entropy: f64,
    /// The most frequent class, as it is printed.
    pub(super) frequent: String,
    /// Its label.
    label: i64,
    /// Its share of the images.
    pub(super) share: f64,
}

impl Prior {
    /// The frequencies of a labelled split.
    pub(crate) fn of(split: &Dataset) -> Self {
        let mut counts = vec![0_u64; split.classes().len()];
        for i in 0..split.len() {
            let label = usize::try_from(split.label(i)).ok();
            if let Some(count) = label.and_then(|label| counts.get_mut(label)) {
                *count += 1;
            }
        }
        let names: Vec<&str> = split.classes().iter().map(called).collect();
        Self::from_counts(&counts, &names)
    }

    pub(super) fn from_counts(counts: &[u64], names: &[&str]) -> Self {
        let total: u64 = counts.iter().sum();
        let share = |count: u64| count as f64 / total.max(1) as f64;
        let entropy = counts
            .iter()
            .filter(|&&count| count > 0)
            .map(|&count| -share(count) * libm::log(share(count)))
            .sum();
        // Of equals the first one.
        let most = (0..counts.len()).rev().max_by_key(|&label| counts[label]);
        let label = most.unwrap_or(0);
        Self {
            entropy,
            frequent: Printable(names.get(label).copied().unwrap_or_default()).to_string(),
            label: label as i64,
            share: share(counts.get(label).copied().unwrap_or(0)),
        }
    }

    /// Whether a mean loss is below what a network reaches that knows only these frequencies.
    pub(super) fn is_left_by(&self, loss: f64) -> bool {
        loss < self.entropy * LEFT
    }

    /// Whether all images are of one class.
    pub(super) fn is_trivial(&self) -> bool {
        self.entropy == 0.0
    }

    /// Top-1 error in percent, on a split, of calling every image the most frequent class.
    pub(crate) fn guessing_error(&self, split: &Dataset) -> f64 {
        let others = (0..split.len()).filter(|&i| split.label(i) != self.label);
        100.0 * others.count() as f64 / split.len().max(1) as f64
    }

    /// What is said of a top-1 error in percent that guessing reaches as well.
    pub(crate) fn no_better(&self, error: f64, guessing: f64) -> Option<String> {
        (!self.is_trivial() && error >= guessing).then(|| {
            format!(
                "no better than calling every image {} ({guessing:.2}%)",
                self.frequent
            )
        })
    }
}

/// What a class is called: by the first of its names, or else by its synset.
pub(super) fn called(class: &Class) -> &str {
    let name = class.name.split(',').next().unwrap_or_default().trim();
    if name.is_empty() { &class.synset } else { name }
}
