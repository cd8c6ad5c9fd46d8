//! The blocks of a scan, walked through for their codes alone: of the values, a decoder of codes need only
//! know which ones are not zero (ITU-T T.81, annexes F.2 and G.2).

use std::ops::RangeInclusive;

use shardmill_jpeg::survey::Bits;
use shardmill_jpeg::survey::Codes;

/// What a scan brings of each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brings {
    /// All of it.
    Everything,
    /// The first value's upper bits.
    FirstValue,
    /// One more bit of the first value.
    FirstValueBit,
    /// The upper bits of some other values, first and last place.
    Values(u32, u32),
    /// One more bit of them.
    ValuesBit(u32, u32),
}

/// The codes of a component in a scan; the ones that the scan does not need may be missing.
#[derive(Clone, Copy, Default)]
pub(super) struct PartCodes<'a> {
    pub(super) dc: Option<&'a Codes>,
    pub(super) ac: Option<&'a Codes>,
}

/// Walks block after block of a scan.
pub(super) struct Walker {
    brings: Brings,
    /// Blocks to come that bring nothing new.
    run: u32,
}

impl Walker {
    pub(super) const fn new(brings: Brings) -> Self {
        Self { brings, run: 0 }
    }

    /// A restart interval begins.
    pub(super) const fn restart(&mut self) {
        self.run = 0;
    }

    /// Walks through a block, of which `known` has a bit for each value that is not zero. `None` for data
    /// that is no block.
    #[inline]
    pub(super) fn block(
        &mut self,
        bits: &mut Bits<'_>,
        codes: PartCodes<'_>,
        known: &mut u64,
    ) -> Option<()> {
        match self.brings {
            Brings::Everything => {
                first_value(bits, codes.dc?)?;
                everything_else(bits, codes.ac?)
            }
            Brings::FirstValue => first_value(bits, codes.dc?),
            Brings::FirstValueBit => {
                bits.refill();
                bits.drop(1);
                Some(())
            }
            Brings::Values(first, last) => self.values(bits, codes.ac?, first..=last, known),
            Brings::ValuesBit(first, last) => self.values_bit(bits, codes.ac?, first..=last, known),
        }
    }

    fn values(
        &mut self,
        bits: &mut Bits<'_>,
        codes: &Codes,
        band: RangeInclusive<u32>,
        known: &mut u64,
    ) -> Option<()> {
        let (first, last) = band.into_inner();
        if self.run > 0 {
            self.run -= 1;
            return Some(());
        }
        let mut k = first;
        while k <= last {
            match symbol(bits, codes)? {
                (15, 0) => k += 16,
                (run, 0) => {
                    self.run = blocks(bits, run) - 1;
                    return Some(());
                }
                (run, size) => {
                    k += run;
                    if k > last {
                        return None;
                    }
                    *known |= 1 << k;
                    bits.drop(size);
                    k += 1;
                }
            }
        }
        (k == last + 1).then_some(())
    }

    fn values_bit(
        &mut self,
        bits: &mut Bits<'_>,
        codes: &Codes,
        band: RangeInclusive<u32>,
        known: &mut u64,
    ) -> Option<()> {
        let (first, last) = band.into_inner();
        let mut k = first;
        while self.run == 0 && k <= last {
            let (mut zeros, size) = symbol(bits, codes)?;
            match (zeros, size) {
                (15, 0) => {}
                (run, 0) => {
                    self.run = blocks(bits, run);
                    break;
                }
                (_, 1) => bits.drop(1),
                _ => return None,
            }
            // Each value on the way that is not zero has its bit here.
            while k <= last {
                if *known >> k & 1 != 0 {
                    bits.refill();
                    bits.drop(1);
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size > 0 {
                if k > last {
                    return None;
                }
                *known |= 1 << k;
            }
            k += 1;
        }
        if self.run > 0 {
            self.run -= 1;
            let places = u64::MAX.checked_shl(k).unwrap_or(0) & (u64::MAX >> (63 - last));
            for _ in 0..(*known & places).count_ones() {
                bits.refill();
                bits.drop(1);
            }
        }
        Some(())
    }
}

/// Blocks of a run of this class, the one that it begins in included.
fn blocks(bits: &mut Bits<'_>, class: u32) -> u32 {
    if class == 0 {
        return 1;
    }
    bits.refill();
    let more = bits.next(class);
    bits.drop(class);
    (1 << class) + more
}

/// The next code: a run of zeros, and the size of the value after it, whose bits are ready.
#[inline]
fn symbol(bits: &mut Bits<'_>, codes: &Codes) -> Option<(u32, u32)> {
    bits.refill();
    let next = bits.next(16);
    let (length, symbol) = codes.symbol(codes.short(next), next)?;
    bits.drop(length);
    Some((u32::from(symbol >> 4), u32::from(symbol & 15)))
}

#[inline]
fn first_value(bits: &mut Bits<'_>, codes: &Codes) -> Option<()> {
    let (none, size) = symbol(bits, codes)?;
    if none != 0 {
        return None;
    }
    bits.drop(size);
    Some(())
}

#[inline]
fn everything_else(bits: &mut Bits<'_>, codes: &Codes) -> Option<()> {
    let mut k = 1;
    while k < 64 {
        match symbol(bits, codes)? {
            (0, 0) => return Some(()),
            (15, 0) => k += 16,
            (_, 0) => return None,
            (run, size) => {
                bits.drop(size);
                k += run + 1;
            }
        }
    }
    (k == 64).then_some(())
}
