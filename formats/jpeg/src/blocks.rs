//! The blocks of any kind of scan (ITU-T T.81, annexes F.2 and G.2), whose coefficients are added to those
//! that earlier scans have brought.

use crate::bits::Bits;
use crate::codes::{Codes, extend};
use crate::scan_header::ScanHeader;

/// A block of coefficients, in the order of the data.
pub(crate) type Block = [i16; 64];

/// The codes of a component in a scan; the ones that the scan does not need may be missing.
#[derive(Clone, Copy)]
pub(crate) struct PartCodes<'a> {
    pub(crate) dc: Option<&'a Codes>,
    pub(crate) ac: Option<&'a Codes>,
}

/// What a scan brings of each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brings {
    /// All of it.
    Everything,
    /// The first value's upper bits.
    FirstValue,
    /// One more bit of the first value.
    FirstValueBit,
    /// The upper bits of some other values.
    Values,
    /// One more bit of them.
    ValuesBit,
}

impl Brings {
    /// What a scan of a frame brings.
    pub(crate) const fn of(scan: &ScanHeader, progressive: bool) -> Self {
        match (progressive, scan.first, scan.high) {
            (false, ..) => Self::Everything,
            (true, 0, 0) => Self::FirstValue,
            (true, 0, _) => Self::FirstValueBit,
            (true, _, 0) => Self::Values,
            (true, ..) => Self::ValuesBit,
        }
    }

    /// Whether it needs codes of first values, and of others.
    pub(crate) const fn needs(self) -> (bool, bool) {
        match self {
            Self::Everything => (true, true),
            Self::FirstValue => (true, false),
            Self::FirstValueBit => (false, false),
            Self::Values | Self::ValuesBit => (false, true),
        }
    }
}

/// Reads block after block of a scan.
pub(crate) struct Reader {
    brings: Brings,
    /// First and last coefficient.
    band: (usize, usize),
    /// The lowest bit that the scan brings.
    low: u32,
    /// Blocks to come that bring no new values.
    run: u32,
    /// The first value of the last block of each component.
    previous: [i32; 4],
}

impl Reader {
    pub(crate) fn new(scan: &ScanHeader, progressive: bool) -> Self {
        Self {
            brings: Brings::of(scan, progressive),
            band: (usize::from(scan.first), usize::from(scan.last)),
            low: if progressive { u32::from(scan.low) } else { 0 },
            run: 0,
            previous: [0; 4],
        }
    }

    /// A restart interval begins.
    pub(crate) const fn restart(&mut self) {
        self.run = 0;
        self.previous = [0; 4];
    }

    /// Whether the first value of the last block of a component is larger than `most`, if the scan brings such:
    /// its upper bits are those of a value that may be nearer to zero by all of the lower ones.
    pub(crate) fn is_beyond(&self, place: usize, most: u32) -> bool {
        self.previous[place].unsigned_abs() > (most >> self.low) + u32::from(self.low > 0)
    }

    /// Reads a block of the component at `place` of the frame. `None` for data that is no block.
    #[inline]
    pub(crate) fn block(
        &mut self,
        bits: &mut Bits<'_>,
        codes: PartCodes<'_>,
        place: usize,
        block: &mut Block,
    ) -> Option<()> {
        match self.brings {
            Brings::Everything => {
                self.first_value(bits, codes.dc?, place, block)?;
                everything_else(bits, codes.ac?, block)
            }
            Brings::FirstValue => self.first_value(bits, codes.dc?, place, block),
            Brings::FirstValueBit => {
                if bit(bits) {
                    block[0] |= 1 << self.low;
                }
                Some(())
            }
            Brings::Values => self.values(bits, codes.ac?, block),
            Brings::ValuesBit => self.values_bit(bits, codes.ac?, block),
        }
    }

    fn first_value(
        &mut self,
        bits: &mut Bits<'_>,
        codes: &Codes,
        place: usize,
        block: &mut Block,
    ) -> Option<()> {
        let (none, size) = symbol(bits, codes)?;
        if none != 0 {
            return None;
        }
        let previous = &mut self.previous[place];
        *previous = previous.wrapping_add(value(bits, size));
        block[0] = (*previous << self.low) as i16;
        Some(())
    }

    /// Upper bits of a band (G.1.2.2).
    fn values(&mut self, bits: &mut Bits<'_>, codes: &Codes, block: &mut Block) -> Option<()> {
        if self.run > 0 {
            self.run -= 1;
            return Some(());
        }
        let (mut k, last) = self.band;
        while k <= last {
            match symbol(bits, codes)? {
                (15, 0) => k += 16,
                (class, 0) => {
                    self.run = blocks(bits, class) - 1;
                    return Some(());
                }
                (run, size) => {
                    k += run as usize;
                    if k > last {
                        return None;
                    }
                    block[k] = (value(bits, size) << self.low) as i16;
                    k += 1;
                }
            }
        }
        (k == last + 1).then_some(())
    }

    /// One more bit of a band (G.1.2.3).
    fn values_bit(&mut self, bits: &mut Bits<'_>, codes: &Codes, block: &mut Block) -> Option<()> {
        let (mut k, last) = self.band;
        while self.run == 0 && k <= last {
            let (mut zeros, size) = symbol(bits, codes)?;
            let new = match (zeros, size) {
                (15, 0) => 0,
                (class, 0) => {
                    self.run = blocks(bits, class);
                    break;
                }
                (_, 1) if bit(bits) => 1 << self.low,
                (_, 1) => -1 << self.low,
                _ => return None,
            };
            // Each value on the way that is not zero has its bit here.
            while k <= last {
                let old = &mut block[k];
                if *old != 0 {
                    self.correct(bits, old);
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if new != 0 {
                if k > last {
                    return None;
                }
                block[k] = new;
            }
            k += 1;
        }
        if self.run > 0 {
            self.run -= 1;
            for old in block.get_mut(k..=last).unwrap_or_default() {
                if *old != 0 {
                    self.correct(bits, old);
                }
            }
        }
        Some(())
    }

    /// Reads a bit, which leads a value away from zero if it was not there before. Beyond 16 bits, where no
    /// picture has values, it wraps around as in libjpeg.
    #[inline]
    fn correct(&self, bits: &mut Bits<'_>, value: &mut i16) {
        if bit(bits) && *value & 1 << self.low == 0 {
            let step = 1 << self.low;
            *value = value.wrapping_add(if *value < 0 { -step } else { step });
        }
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

#[inline]
fn bit(bits: &mut Bits<'_>) -> bool {
    bits.refill();
    let set = bits.next(1) != 0;
    bits.drop(1);
    set
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

/// The value of the next `size` bits, at most 15 of them, which are ready.
#[inline]
fn value(bits: &mut Bits<'_>, size: u32) -> i32 {
    if size == 0 {
        return 0;
    }
    let value = extend(bits.next(size), size);
    bits.drop(size);
    value
}

#[inline]
fn everything_else(bits: &mut Bits<'_>, codes: &Codes, block: &mut Block) -> Option<()> {
    let mut k = 1;
    while k < 64 {
        match symbol(bits, codes)? {
            (0, 0) => return Some(()),
            (15, 0) => k += 16,
            (_, 0) => return None,
            (run, size) => {
                k += run as usize;
                if k > 63 {
                    return None;
                }
                block[k] = value(bits, size) as i16;
                k += 1;
            }
        }
    }
    (k == 64).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_beyond_the_lowest_value_wraps_around() {
        // Upper bits may bring it: a value of 15 bits, -16384, with one more to come.
        assert_eq!((extend(16_383, 15) << 1) as i16, i16::MIN);
        let mut reader = Reader {
            brings: Brings::ValuesBit,
            band: (1, 63),
            low: 0,
            run: 1,
            previous: [0; 4],
        };
        let codes = Codes::default();
        let codes = PartCodes {
            dc: None,
            ac: Some(&codes),
        };
        let mut block = [0; 64];
        block[1] = i16::MIN;
        let ones = [0xFF; 8];
        reader
            .block(&mut Bits::new(&ones, 0), codes, 0, &mut block)
            .unwrap();
        assert_eq!(block[1], i16::MAX);
    }
}
