//! How well each class is recognised, and which are taken for each other.

use std::collections::BTreeMap;

use crate::analysis::Prediction;

/// How well the images of one class are recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassScore {
    pub(crate) label: usize,
    /// Its images.
    pub(crate) images: u64,
    /// Those whose class comes first.
    pub(crate) top1: u64,
    /// Those whose class is among the first five.
    pub(crate) top5: u64,
    /// The class that the others are most often taken for; of equals the lowest label.
    pub(crate) mistake: Option<Mistake>,
}

/// A wrong class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) label: usize,
    /// How often.
    pub(crate) images: u64,
}

impl ClassScore {
    /// The share of images whose class comes first, in percent; `None` without images.
    pub(crate) fn accuracy(&self) -> Option<f64> {
        (self.images > 0).then(|| 100.0 * self.top1 as f64 / self.images as f64)
    }
}

/// The scores of all classes, by label.
pub(crate) fn class_scores(items: &[Prediction], classes: usize) -> Vec<ClassScore> {
    let mut scores: Vec<ClassScore> = (0..classes)
        .map(|label| ClassScore {
            label,
            ..ClassScore::default()
        })
        .collect();
    for item in items {
        let score = &mut scores[item.label];
        score.images += 1;
        score.top1 += u64::from(item.rank < 1);
        score.top5 += u64::from(item.rank < 5);
    }
    for (confusion, images) in confusions(items) {
        let mistake = &mut scores[confusion.label].mistake;
        if mistake.is_none_or(|mistake| mistake.images < images) {
            *mistake = Some(Mistake {
                label: confusion.taken_for,
                images,
            });
        }
    }
    scores
}

/// An image's class, and the one that it is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Confusion {
    label: usize,
    taken_for: usize,
}

/// How often each class is taken for each other one.
fn confusions(items: &[Prediction]) -> BTreeMap<Confusion, u64> {
    let mut found = BTreeMap::new();
    for item in items.iter().filter(|item| item.rank > 0) {
        let others = item.top.iter().filter(|guess| guess.label != item.label);
        if let Some(guess) = others.into_iter().next() {
            let confusion = Confusion {
                label: item.label,
                taken_for: guess.label,
            };
            *found.entry(confusion).or_insert(0) += 1;
        }
    }
    found
}

/// Two classes that are taken for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfusedPair {
    /// The lower label.
    pub(crate) first: usize,
    pub(crate) second: usize,
    /// Images of the first class that are taken for the second.
    pub(crate) first_as_second: u64,
    /// Images of the second class that are taken for the first.
    pub(crate) second_as_first: u64,
}

impl ConfusedPair {
    /// Images that are taken for the other class.
    pub(crate) const fn images(&self) -> u64 {
        self.first_as_second + self.second_as_first
    }
}

/// Up to `most` pairs of classes that are taken for each other most often, the worst first; of equals that of the
/// lowest labels.
pub(crate) fn confused_pairs(items: &[Prediction], most: usize) -> Vec<ConfusedPair> {
    let mut pairs: BTreeMap<[usize; 2], ConfusedPair> = BTreeMap::new();
    for (Confusion { label, taken_for }, images) in confusions(items) {
        let (first, second) = (label.min(taken_for), label.max(taken_for));
        let pair = pairs.entry([first, second]).or_default();
        (pair.first, pair.second) = (first, second);
        match label == first {
            true => pair.first_as_second += images,
            false => pair.second_as_first += images,
        }
    }
    let mut pairs: Vec<ConfusedPair> = pairs.into_values().collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.images()));
    pairs.truncate(most);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Guess;

    /// An image of class `label` for which the classes come in this order.
    fn item(label: usize, order: &[usize]) -> Prediction {
        let rank = order
            .iter()
            .position(|other| *other == label)
            .unwrap_or(order.len());
        let guess = |&label: &usize| Guess {
            label,
            probability: 0.1,
        };
        Prediction {
            sample: 0,
            label,
            rank,
            top: order.iter().map(guess).collect(),
            label_probability: 0.1,
        }
    }

    #[test]
    fn classes_are_scored_by_their_own_images() {
        let items = [
            item(0, &[0, 1, 2]),
            item(0, &[1, 0, 2]),
            item(0, &[2, 1, 0]),
            item(2, &[1, 0, 2]),
            item(2, &[1, 0, 3, 4, 5]),
        ];
        let scores = class_scores(&items, 4);
        let first = ClassScore {
            label: 0,
            images: 3,
            top1: 1,
            top5: 3,
            mistake: Some(Mistake {
                label: 1,
                images: 1,
            }),
        };
        assert_eq!(scores[0], first);
        assert_eq!((scores[1].images, scores[1].accuracy()), (0, None));
        assert_eq!((scores[2].top1, scores[2].top5), (0, 1));
        assert_eq!(
            scores[2].mistake,
            Some(Mistake {
                label: 1,
                images: 2
            })
        );
        assert_eq!(scores[2].accuracy(), Some(0.0));
    }

    #[test]
    fn pairs_count_both_directions_and_the_worst_comes_first() {
        let items = [
            item(0, &[3]),
            item(3, &[0]),
            item(3, &[0]),
            item(1, &[2]),
            item(1, &[1, 2]),
            item(2, &[0]),
        ];
        let pairs = confused_pairs(&items, 2);
        let worst = ConfusedPair {
            first: 0,
            second: 3,
            first_as_second: 1,
            second_as_first: 2,
        };
        assert_eq!(pairs[0], worst);
        assert_eq!(
            (pairs[1].first, pairs[1].second, pairs[1].images()),
            (0, 2, 1)
        );
        assert_eq!(pairs.len(), 2);
    }

    #[test]
    fn a_network_that_cannot_tell_takes_nothing_for_its_own_class() {
        // All probabilities are equal: the class itself comes first in the list and is not right.
        let mut equal = item(0, &[0, 1]);
        equal.rank = 1;
        assert_eq!(confused_pairs(&[equal], 9)[0].images(), 1);
        assert!(confused_pairs(&[], 9).is_empty());
    }
}
