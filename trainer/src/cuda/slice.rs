//! A batch's rows on several cards.

/// Consecutive rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The first.
    pub(crate) first: usize,
    /// How many.
    pub(crate) rows: usize,
    /// Rows of the whole batch.
    pub(crate) whole: usize,
}

impl Slice {
    /// All rows of a batch.
    pub(crate) const fn all(whole: usize) -> Self {
        Self {
            first: 0,
            rows: whole,
            whole,
        }
    }

    /// What card number `card` of `cards` takes: as much as the others, or one row more where the batch
    /// does not divide and the card is among the first. Nothing where the rows are fewer than the
    /// cards.
    #[cfg(any(feature = "nccl", test))]
    pub(crate) const fn of(card: usize, cards: usize, whole: usize) -> Self {
        let (each, more) = (whole / cards, whole % cards);
        let extra = if card < more { card } else { more };
        Self {
            first: card * each + extra,
            rows: each + (card < more) as usize,
            whole,
        }
    }

    /// The part of `values`, of which every row of the whole batch has as many.
    ///
    /// # Panics
    /// If they are not whole rows.
    pub(crate) fn part<'a, T>(&self, values: &'a [T]) -> &'a [T] {
        if self.whole == 0 {
            return values;
        }
        assert_eq!(values.len() % self.whole, 0, "whole rows");
        let width = values.len() / self.whole;
        &values[self.first * width..(self.first + self.rows) * width]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Slice;

    #[test]
    fn the_first_cards_take_what_does_not_divide() {
        let rows = |cards, whole| -> Vec<usize> {
            (0..cards)
                .map(|card| Slice::of(card, cards, whole).rows)
                .collect()
        };
        assert_eq!(rows(3, 128), [43, 43, 42]);
        assert_eq!(rows(4, 2), [1, 1, 0, 0]);
        assert_eq!(Slice::of(0, 1, 7), Slice::all(7));
    }

    proptest! {
        #[test]
        fn slices_put_together_are_the_batch(cards in 1_usize..9, whole in 0_usize..70, width in 0_usize..4) {
            let values: Vec<usize> = (0..whole * width).collect();
            let mut joined = Vec::new();
            let mut next = 0;
            for card in 0..cards {
                let slice = Slice::of(card, cards, whole);
                prop_assert_eq!(slice.first, next);
                prop_assert!(slice.rows.abs_diff(whole / cards) <= 1);
                next += slice.rows;
                joined.extend_from_slice(slice.part(&values));
            }
            prop_assert_eq!(next, whole);
            prop_assert_eq!(joined, values);
        }
    }
}
