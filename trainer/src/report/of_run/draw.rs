//! Which images are shown, where it is chance that decides.

use std::collections::BTreeSet;

use shardmill_formats::{Philox, Stream};

use crate::analysis::Prediction;

/// Random numbers for a choice of images: the same for the same number of images, others for another `stream`.
pub(super) fn seed(items: &[Prediction], stream: Stream) -> Philox {
    Philox::new(items.len() as u64, stream)
}

/// `count` images drawn at random, of different classes as far as possible.
pub(super) fn drawn<'p>(
    items: impl Iterator<Item = &'p Prediction>,
    count: usize,
    philox: Philox,
) -> Vec<&'p Prediction> {
    let mut shuffled: Vec<&Prediction> = items.collect();
    shuffled.sort_by_cached_key(|item| philox.block(item.sample, 0));
    let mut seen = BTreeSet::new();
    let (firsts, others): (Vec<_>, Vec<_>) = shuffled
        .into_iter()
        .partition(|item| seen.insert(item.label));
    firsts.into_iter().chain(others).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_come_once_before_they_come_again() {
        let item = |sample: u64| Prediction {
            sample,
            label: (sample % 3) as usize,
            rank: 0,
            top: Vec::new(),
            label_probability: 1.0,
        };
        let items: Vec<Prediction> = (0..30).map(item).collect();
        let philox = || seed(&items, Stream::Plan);
        let five = drawn(items.iter(), 5, philox());
        let labels: BTreeSet<usize> = five[..3].iter().map(|item| item.label).collect();
        assert_eq!((five.len(), labels.len()), (5, 3));
        let again: Vec<u64> = drawn(items.iter(), 5, philox())
            .iter()
            .map(|item| item.sample)
            .collect();
        assert_eq!(
            again,
            five.iter().map(|item| item.sample).collect::<Vec<_>>()
        );
        assert_eq!(drawn(items.iter(), 99, philox()).len(), 30);
    }
}
