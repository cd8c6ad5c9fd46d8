//! The scores of a step from several cards.

use crate::net::StepMetrics;
use crate::net::StepOutput;

/// Numbers that a card keeps of a step: the sum of its images' losses, their top-1 and top-5 hits, and
/// the square of the length of the whole batch's gradient.
pub(crate) const NUMBERS: usize = 4;

/// A step after which cards had different gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parted {
    /// The step, counted from 0 among those given.
    pub(crate) step: usize,
    /// The card whose gradient is not that of the first.
    pub(crate) card: usize,
}

/// The scores of steps of `images` images each, of [`NUMBERS`] numbers a step from each card. Sums are
/// in the cards' order.
///
/// # Errors
/// Every card has the gradient of the whole batch, so its length must be the same to the bit on all.
///
/// # Panics
/// If a card has not as many numbers.
pub(crate) fn join(images: &[usize], cards: &[Vec<f64>]) -> Result<Vec<StepMetrics>, Parted> {
    let of_step = |(step, &images): (usize, &usize)| {
        let of_card = |card: usize| -> &[f64] { &cards[card][step * NUMBERS..][..NUMBERS] };
        let norm = of_card(0)[3];
        let same =
            |other: f64| norm.to_bits() == other.to_bits() || norm.is_nan() && other.is_nan();
        if let Some(card) = (1..cards.len()).find(|&card| !same(of_card(card)[3])) {
            return Err(Parted { step, card });
        }
        let sum = |number: usize| -> f64 { (0..cards.len()).map(|c| of_card(c)[number]).sum() };
        Ok(StepMetrics {
            images,
            output: StepOutput {
                loss: sum(0) / images as f64,
                top1: sum(1) as usize,
                top5: sum(2) as usize,
            },
            norm: norm.sqrt(),
        })
    };
    images.iter().enumerate().map(of_step).collect()
}

#[cfg(test)]
mod tests {
    use super::{Parted, join};

    #[test]
    fn sums_losses_and_hits_and_keeps_the_norm() {
        let cards = [
            vec![6.0, 1.0, 2.0, 25.0, 2.0, 0.0, 1.0, 4.0],
            vec![3.0, 0.0, 1.0, 25.0, 1.0, 1.0, 1.0, 4.0],
        ];
        let seen = join(&[3, 2], &cards).unwrap();
        let figures = seen.iter().map(|s| {
            (
                s.images,
                s.output.loss,
                s.output.top1,
                s.output.top5,
                s.norm,
            )
        });
        assert_eq!(
            figures.collect::<Vec<_>>(),
            [(3, 3.0, 1, 3, 5.0), (2, 1.5, 1, 2, 2.0)]
        );
    }

    #[test]
    fn sees_cards_that_have_come_apart() {
        let one = vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let mut other = one.clone();
        other[7] = 1.0 + f64::EPSILON;
        let parted = Parted { step: 1, card: 2 };
        assert_eq!(
            join(&[1, 1], &[one.clone(), one.clone(), other]),
            Err(parted)
        );
        assert!(join(&[1, 1], &[one.clone(), one]).is_ok());
    }

    #[test]
    fn a_gradient_that_is_no_number_is_told_as_such() {
        let cards = [
            vec![0.0, 0.0, 0.0, f64::NAN],
            vec![0.0, 0.0, 0.0, -f64::NAN],
        ];
        assert!(join(&[1], &cards).unwrap()[0].norm.is_nan());
    }
}
