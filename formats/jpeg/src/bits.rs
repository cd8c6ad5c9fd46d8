//! Reads Huffman codes (ITU-T T.81, annex F.2.2), several symbols to a refill of the bit buffer.

use crate::codes::{END, FAST, Levels, STRIDE, Values, WHOLE, extend};

/// Reads bits, the highest of each byte first, from data without stuffed zeros.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    /// Next byte to be read.
    at: usize,
    /// The next bits, from the highest on.
    buffer: u64,
    /// How many of them there are.
    count: u32,
}

impl<'a> Bits<'a> {
    #[inline(always)]
    pub(crate) fn new(data: &'a [u8], at: usize) -> Self {
        Self {
            data,
            at,
            buffer: 0,
            count: 0,
        }
    }

    /// Goes on at another byte.
    #[inline(always)]
    pub(crate) const fn go(&mut self, at: usize) {
        (self.at, self.buffer, self.count) = (at, 0, 0);
    }

    /// Makes at least 56 bits ready; zeros after the end of the data.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        let next = self.data.get(self.at..).and_then(|rest| rest.first_chunk());
        self.buffer |= next.map_or(0, |bytes| u64::from_be_bytes(*bytes)) >> self.count;
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 56;
    }

    #[inline(always)]
    pub(crate) fn drop(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// The next bits, at most 32 of them.
    #[inline(always)]
    pub(crate) const fn next(&self, bits: u32) -> u32 {
        (self.buffer >> (64 - bits)) as u32
    }

    /// Bits read so far, from the start of the data.
    pub(crate) fn position(&self) -> usize {
        self.at * 8 - self.count as usize
    }

    /// Reads a block into `block`, all zeros before, each coefficient to the place that `places` gives it; gives
    /// the place after the last coefficient in the order of the data. `None` for data that is no block.
    #[inline(always)]
    pub(crate) fn block(
        &mut self,
        levels: &Levels,
        values: &Values,
        previous: &mut i32,
        places: &[u8; 80],
        block: &mut [i16; 64],
    ) -> Option<usize> {
        // A copy stays in registers; through the reference, every look-up would write to memory.
        let mut bits = *self;
        let length = bits.read(levels, values, previous, places, block);
        *self = bits;
        length
    }

    /// See [`block`](Self::block).
    #[inline(always)]
    fn read(
        &mut self,
        levels: &Levels,
        values: &Values,
        previous: &mut i32,
        places: &[u8; 80],
        block: &mut [i16; 64],
    ) -> Option<usize> {
        self.level(levels, previous)?;
        block[0] = *previous as i16;
        let mut k = 1;
        'refills: loop {
            self.refill();
            // Five entries take at most 50 of the 56 bits.
            for _ in 0..5 {
                let entry = values.pairs[self.next(FAST) as usize];
                if entry & u64::from(WHOLE) == 0 {
                    self.refill();
                    let (length, symbol) = values.codes.symbol(entry as u32, self.next(16))?;
                    self.drop(length);
                    let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                    match (run, size) {
                        (0, 0) => return Some(k),
                        (15, 0) => k += 16,
                        (_, 0) => return None,
                        _ => {
                            k += run;
                            block[usize::from(*places.get(k)?)] = self.value(size) as i16;
                            k += 1;
                        }
                    }
                    if k >= 64 {
                        break 'refills;
                    }
                    continue 'refills;
                }
                let first = k + (entry >> 8 & 15) as usize;
                let second = first + (entry >> 32 & 31) as usize;
                let behind = second + (entry >> 37 & 1) as usize;
                let end = entry & u64::from(END) != 0;
                if behind + usize::from(end) > 64 {
                    // The block is full after the first value; what follows is another's.
                    block[usize::from(*places[..64].get(first)?)] = (entry >> 16) as i16;
                    self.drop((entry >> 12 & 15) as u32);
                    k = first + 1;
                    if k == 64 {
                        break 'refills;
                    }
                    continue;
                }
                // Only the low six bits of an amount count, so the shift need not wait for a mask.
                self.buffer = self.buffer.wrapping_shl(entry as u32);
                self.count -= entry as u32 & 0x3F;
                // Zeros where there is no value, on a place that holds none yet; the place after the
                // last one is the last one itself, so the first value is written after the second.
                block[usize::from(places[second])] = (entry >> 48) as i16;
                block[usize::from(places[first])] = (entry >> 16) as i16;
                k = behind;
                if end {
                    return Some(k);
                }
                if k == 64 {
                    break 'refills;
                }
            }
        }
        (k == 64).then_some(64)
    }

    /// Skips a block whose values are not needed, except the first one, on which the next block builds.
    /// `None` for data that is no block.
    #[inline(always)]
    pub(crate) fn pass(
        &mut self,
        levels: &Levels,
        values: &Values,
        previous: &mut i32,
    ) -> Option<()> {
        let mut bits = *self;
        let passed = bits.leap(levels, values, previous);
        *self = bits;
        passed
    }

    /// See [`pass`](Self::pass).
    #[inline(always)]
    fn leap(&mut self, levels: &Levels, values: &Values, previous: &mut i32) -> Option<()> {
        self.level(levels, previous)?;
        let mut k = 1;
        while k < 64 {
            self.refill();
            // Two strides take at most 50 of the 56 bits.
            for _ in 0..2 {
                let entry = u32::from(values.strides[self.next(STRIDE) as usize]);
                let (behind, ends) = (k + (entry >> 5 & 0x7F), entry >> 12);
                if entry == 0 || behind + ends > 64 {
                    // A longer code, or the block is full before all of the entry's bits are used.
                    self.refill();
                    let bits = self.next(16);
                    let short = values.codes.short(bits);
                    let (length, symbol) = values.codes.symbol(short, bits)?;
                    let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
                    self.drop(length);
                    match (run, size) {
                        (0, 0) => return Some(()),
                        (1..15, 0) => return None,
                        _ => k += run + 1,
                    }
                    self.drop(size);
                    break;
                }
                self.buffer = self.buffer.wrapping_shl(entry & 0x1F);
                self.count -= entry & 0x1F;
                k = behind;
                if ends > 0 {
                    return Some(());
                }
                if k == 64 {
                    break;
                }
            }
        }
        (k == 64).then_some(())
    }

    /// Reads the first value of a block, which is a difference from that of the last block.
    #[inline(always)]
    fn level(&mut self, levels: &Levels, previous: &mut i32) -> Option<()> {
        self.refill();
        let bits = self.next(16);
        let (length, size) = levels.codes.symbol(levels.codes.short(bits), bits)?;
        self.drop(length);
        let difference = self.value(u32::from(size));
        *previous = previous.wrapping_add(difference);
        Some(())
    }

    /// The value of the next `size` bits.
    #[inline(always)]
    fn value(&mut self, size: u32) -> i32 {
        // Two shifts: one by 64 is none at all.
        let bits = (self.buffer >> 1 >> (63 - size)) as u32;
        self.drop(size);
        extend(bits, size)
    }
}
