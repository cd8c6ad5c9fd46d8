//! Huffman codes as tables to look the next bits up in (ITU-T T.81, annexes C and F.2.2).
//!
//! A thread keeps its tables and refills them for each image: hardly two images of ImageNet have the
//! same codes.

/// Bits that are looked up at once.
pub(crate) const FAST: u32 = 10;
/// The same for blocks that are passed.
pub(crate) const STRIDE: u32 = 10;

/// Mark of an entry that holds whole values.
pub(crate) const WHOLE: u32 = 0x80;
/// Mark of an entry after which the block ends.
pub(crate) const END: u32 = 0x40;

/// A code, as the file lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Number of codes of each length from 1 to 16 bits.
    pub(crate) counts: [u8; 16],
    /// What they stand for, as many as are counted.
    pub(crate) symbols: Vec<u8>,
}

/// Which symbol some bits begin with.
#[derive(Debug)]
pub(crate) struct Codes {
    /// For the next [`FAST`] bits: the length of the code, and the symbol from bit 8 on; 0 where the code
    /// is longer.
    short: [u16; 1 << FAST],
    /// For each length: the first 16 bits that are no code of this length or a shorter one.
    limit: [u32; 17],
    /// For each length: what to add to a code for its place in `symbols`.
    offset: [i32; 17],
    symbols: [u8; 256],
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            short: [0; 1 << FAST],
            limit: [0; 17],
            offset: [0; 17],
            symbols: [0; 256],
        }
    }
}

impl Codes {
    /// `None` if there can be no such code.
    pub(crate) fn fill(&mut self, listed: &Listed) -> Option<()> {
        let symbols = &listed.symbols;
        self.symbols
            .get_mut(..symbols.len())?
            .copy_from_slice(symbols);
        let (mut code, mut place) = (0_u32, 0_usize);
        let mut filled = 0;
        for length in 1..=16_u32 {
            self.offset[length as usize] = place as i32 - code as i32;
            for _ in 0..listed.counts[length as usize - 1] {
                if code >> length != 0 {
                    return None;
                }
                if length <= FAST {
                    let symbol = u16::from(*symbols.get(place)?);
                    let next = filled + (1 << (FAST - length));
                    self.short[filled..next].fill(symbol << 8 | length as u16);
                    filled = next;
                }
                (code, place) = (code + 1, place + 1);
            }
            self.limit[length as usize] = code << (16 - length);
            code <<= 1;
        }
        self.short[filled..].fill(0);
        Some(())
    }

    /// Length and symbol of the code that begins with `short`, an entry of that name, and in full with
    /// `bits`, 16 of them; `None` if they are no code.
    #[inline(always)]
    pub(crate) fn symbol(&self, short: u32, bits: u32) -> Option<(u32, u8)> {
        if short != 0 {
            return Some((short & 0x7F, (short >> 8) as u8));
        }
        let length = (FAST + 1..=16).find(|&length| bits < self.limit[length as usize])?;
        let place = (bits >> (16 - length)) as i32 + self.offset[length as usize];
        Some((length, *self.symbols.get(place as usize)?))
    }

    /// The entry of `short` for `bits`, 16 of them.
    #[inline(always)]
    pub(crate) const fn short(&self, bits: u32) -> u32 {
        self.short[(bits >> (16 - FAST)) as usize & ((1 << FAST) - 1)] as u32
    }

    /// The code that begins at bit `used` of `bits`, [`FAST`] bits, as far as these tell: its length, and
    /// the run of zeros and the size of the value after it.
    #[inline(always)]
    fn within(&self, bits: usize, used: u32) -> Option<(u32, u32, u32)> {
        let short = u32::from(self.short[bits << used & ((1 << FAST) - 1)]);
        let length = short & 0xFF;
        (length > 0 && used + length <= FAST).then_some((length, short >> 12, short >> 8 & 15))
    }
}

/// Codes of the first values of blocks.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    pub(crate) codes: Codes,
}

impl Levels {
    /// `None` if there can be no such code.
    pub(crate) fn fill(&mut self, listed: &Listed) -> Option<()> {
        if listed.symbols.iter().any(|&size| size > 11) {
            return None;
        }
        self.codes.fill(listed)
    }
}

/// Codes of all other values.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) codes: Codes,
    /// For the next [`FAST`] bits, one or two values and perhaps the end of the block; from the lowest
    /// bit: how many bits to drop (6), [`END`], [`WHOLE`], the places passed before the first value (4),
    /// the bits of the first value alone (4), the first value (16), the places from it to the second (5)
    /// and after that (1), and from bit 48 on the second value. Where there
    /// is no whole value, the code alone, as [`Codes::short`] has it.
    pub(crate) pairs: [u64; 1 << FAST],
    /// For the next [`STRIDE`] bits, how far they lead where the values are not needed: how many bits to
    /// drop (5), the places passed (7), and whether the block ends (1). 0 where the code is longer.
    pub(crate) strides: [u16; 1 << STRIDE],
}

impl Default for Values {
    fn default() -> Self {
        Self {
            codes: Codes::default(),
            pairs: [0; 1 << FAST],
            strides: [0; 1 << STRIDE],
        }
    }
}

impl Values {
    /// `None` if there can be no such code.
    pub(crate) fn fill(&mut self, listed: &Listed) -> Option<()> {
        self.codes.fill(listed)?;
        for (bits, entry) in self.pairs.iter_mut().enumerate() {
            *entry = pair(&self.codes, bits);
        }
        for (bits, entry) in self.strides.iter_mut().enumerate() {
            *entry = stride(&self.codes, bits << (FAST - STRIDE));
        }
        Some(())
    }
}

#[inline(always)]
fn pair(codes: &Codes, bits: usize) -> u64 {
    let value = |used: u32, size: u32| {
        let bits = bits as u32 >> (FAST - used) & ((1 << size) - 1);
        extend(bits, size) as u16
    };
    let (used, run, size) = match codes.within(bits, 0) {
        Some((length, 0, 0)) => return u64::from(WHOLE | END | length),
        Some((length, run, size)) if size > 0 && length + size <= FAST => {
            (length + size, run, size)
        }
        // The code alone, if it is not too long.
        _ => return codes.short[bits].into(),
    };
    let first = WHOLE | run << 8 | used << 12 | u32::from(value(used, size)) << 16;
    // The place after the first value is the one after it.
    let alone = u64::from(first) | 1 << 32;
    match codes.within(bits, used) {
        Some((length, 0, 0)) => alone | u64::from(END | (used + length)),
        Some((length, run, size)) if size > 0 && used + length + size <= FAST => {
            let used = used + length + size;
            let second = u64::from(run + 1) << 32 | 1 << 37 | u64::from(value(used, size)) << 48;
            u64::from(first | used) | second
        }
        _ => alone | u64::from(used),
    }
}

/// All codes that `bits` hold whole, with the values after them, which may reach beyond.
fn stride(codes: &Codes, bits: usize) -> u16 {
    let (mut used, mut places, mut ends) = (0, 0, 0);
    while used < STRIDE && places < 64 {
        let Some((length, run, size)) = codes.within(bits, used) else {
            break;
        };
        if used + length > STRIDE || (size == 0 && (1..15).contains(&run)) {
            break;
        }
        used += length + size;
        if (run, size) == (0, 0) {
            ends = 1;
            break;
        }
        // 16 zeros are a run of 15 and a value of zero.
        places += run + 1;
    }
    (ends << 12 | places << 5 | used) as u16
}

/// The value that `bits`, the low `size` ones, stand for (figure F.12).
#[inline(always)]
pub(crate) fn extend(bits: u32, size: u32) -> i32 {
    let half = (1_u32 << size) >> 1;
    let below = if bits < half { (1_i32 << size) - 1 } else { 0 };
    bits as i32 - below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(lengths: &[u8; 16], symbols: &[u8]) -> Listed {
        Listed {
            counts: *lengths,
            symbols: symbols.to_vec(),
        }
    }

    #[test]
    fn values_extend_as_figure_f_12_says() {
        let found: Vec<i32> = (0..4).map(|bits| extend(bits, 2)).collect();
        assert_eq!(found, [-3, -2, 2, 3]);
        assert_eq!((extend(0, 1), extend(1, 1), extend(0, 0)), (-1, 1, 0));
    }

    #[test]
    fn impossible_codes_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(
            Levels::default()
                .fill(&listed(&counts, &[0, 1, 2]))
                .is_none()
        );
        counts[0] = 1;
        assert!(Levels::default().fill(&listed(&counts, &[12])).is_none());
        assert!(Values::default().fill(&listed(&counts, &[12])).is_some());
    }

    #[test]
    fn a_table_that_is_filled_again_holds_nothing_of_before() {
        let mut counts = [0; 16];
        (counts[0], counts[1]) = (1, 2);
        let mut used = Values::default();
        used.fill(&listed(&counts, &[1, 0, 0x21])).unwrap();
        (counts[0], counts[1], counts[4]) = (0, 1, 3);
        let second = listed(&counts, &[0x12, 0x41, 0, 0xF0]);
        used.fill(&second).unwrap();
        let mut fresh = Values::default();
        fresh.fill(&second).unwrap();
        assert_eq!(used.pairs, fresh.pairs);
        assert_eq!(used.strides, fresh.strides);
        for bits in 0..1 << 16 {
            let symbol = |codes: &Codes| codes.symbol(codes.short(bits), bits);
            assert_eq!(symbol(&used.codes), symbol(&fresh.codes));
        }
    }
}
