//! Where a network is computed, and with which arithmetic.

use serde::Serialize;

/// Where a network is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compute {
    /// All cores of this machine, in f32.
    #[default]
    Cpu,
    /// An NVIDIA card; needs a build with the feature `cuda`.
    Cuda(CudaOptions),
    /// Several NVIDIA cards of this machine; needs a build with the feature `nccl`.
    Cards(CardsOptions),
}

/// How several cards are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardsOptions {
    /// The cards.
    pub cards: CardSet,
    /// The arithmetic.
    pub precision: Precision,
    /// Whether only algorithms are used that give the same bits every time on as many cards.
    pub deterministic: bool,
}

impl CardsOptions {
    /// How card number `ordinal` is used.
    #[must_use]
    pub const fn of(self, ordinal: usize) -> CudaOptions {
        CudaOptions {
            ordinal,
            precision: self.precision,
            deterministic: self.deterministic,
        }
    }
}

/// Some cards of this machine, each named once; their order is that of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardSet(u64);

impl CardSet {
    /// The most cards of a machine.
    pub const MOST: usize = u64::BITS as usize;

    /// The cards with these numbers; `None` if one is named twice, is not below [`MOST`](Self::MOST),
    /// or if there is none.
    #[must_use]
    pub fn new(numbers: &[usize]) -> Option<Self> {
        let mut set = 0_u64;
        for &number in numbers {
            let card = 1_u64.checked_shl(u32::try_from(number).ok()?)?;
            if set & card != 0 {
                return None;
            }
            set |= card;
        }
        (set != 0).then_some(Self(set))
    }

    /// How many there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Their numbers, ascending.
    pub fn numbers(self) -> impl Iterator<Item = usize> {
        (0..Self::MOST).filter(move |number| self.0 >> number & 1 == 1)
    }
}

/// How a card is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CudaOptions {
    /// The card, as the driver counts them.
    pub ordinal: usize,
    /// The arithmetic.
    pub precision: Precision,
    /// Whether only algorithms are used that give the same bits every time on one card.
    pub deterministic: bool,
}

/// The arithmetic of products and the type of activations; weights, velocities and sums are f32
/// always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout: comparable with the CPU's bit for bit but for the order of sums.
    F32,
    /// f32 values whose products take 10 bits of fraction, on tensor cores.
    #[default]
    Tf32,
    /// bf16 activations, and bf16 copies of the weights, on tensor cores.
    Bf16,
}

impl Precision {
    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CardSet;

    #[test]
    fn a_set_has_each_card_once() {
        let set = CardSet::new(&[5, 0, 63]).unwrap();
        assert_eq!(set.numbers().collect::<Vec<_>>(), [0, 5, 63]);
        assert_eq!(set.len(), 3);
        for wrong in [&[][..], &[1, 1], &[64], &[usize::MAX]] {
            assert_eq!(CardSet::new(wrong), None, "{wrong:?}");
        }
    }
}
