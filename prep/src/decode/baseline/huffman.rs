//! Huffman codes (ITU-T T.81, annex F.2.2), several symbols to a refill of the bit buffer.

use super::header::ZIGZAG;

/// Bits that are looked up at once.
const FAST: u32 = 10;
/// Mark of an entry that holds a whole value.
const WHOLE: u32 = 0x80;

/// Mark of a pair behind which the block ends.
const END: u64 = 0x40;

/// A code.
///
/// An entry of `fast` is, from its lowest bit: the bits to drop (7), [`WHOLE`] (1), then either the
/// run of zeros (8) and the value (16), or the symbol (8). An entry of 0 is a longer code.
///
/// An entry of `pairs` is [`Pair`], packed; without [`WHOLE`] it is the one of `fast`.
#[derive(Debug)]
pub(super) struct Table {
    fast: [u32; 1 << FAST],
    pairs: [u64; 1 << FAST],
    /// For each length: the first 16 bits that are no code of this length or a shorter one.
    limit: [u32; 17],
    /// For each length: what to add to a code for its place in `symbols`.
    offset: [i32; 17],
    symbols: [u8; 256],
}

impl Table {
    /// A table from the number of codes of each length; `None` if there can be none such.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8], dc: bool) -> Option<Self> {
        let mut table = Self {
            fast: [0; 1 << FAST],
            pairs: [0; 1 << FAST],
            limit: [0; 17],
            offset: [0; 17],
            symbols: [0; 256],
        };
        table
            .symbols
            .get_mut(..symbols.len())?
            .copy_from_slice(symbols);
        let (mut code, mut place) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            table.offset[length as usize] = place as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                if code >> length != 0 {
                    return None;
                }
                let symbol = symbols[place];
                if dc && symbol > 11 {
                    return None;
                }
                if length <= FAST {
                    table.fill(code, length, symbol, dc);
                }
                (code, place) = (code + 1, place + 1);
            }
            table.limit[length as usize] = code << (16 - length);
            code <<= 1;
        }
        if !dc {
            for bits in 0..1 << FAST {
                table.pairs[bits] = table.pair(bits as u32);
            }
        }
        Some(table)
    }

    /// As much as `bits`, the next ones, hold: one or two whole values, and the end of the block.
    fn pair(&self, bits: u32) -> u64 {
        let entry_of = |used: u32| self.fast[(bits << used) as usize & ((1 << FAST) - 1)];
        let first = entry_of(0);
        let ends = |entry: u32, used: u32| {
            // The symbol 0 of a code that lies within the bits that are known.
            entry != 0 && entry & WHOLE == 0 && entry >> 8 == 0 && used + (entry & 0x7F) <= FAST
        };
        let mut pair = Pair::default();
        if ends(first, 0) {
            pair.bits = first & 0x7F;
            pair.end = true;
            return pair.packed();
        }
        if first & WHOLE == 0 {
            return u64::from(first);
        }
        pair.first_bits = first & 0x7F;
        pair.bits = pair.first_bits;
        pair.first = Some((first >> 8 & 15, (first >> 16) as u16));
        let second = entry_of(pair.bits);
        if ends(second, pair.bits) {
            pair.bits += second & 0x7F;
            pair.end = true;
        } else if second & WHOLE != 0 && pair.bits + (second & 0x7F) <= FAST {
            pair.bits += second & 0x7F;
            pair.second = Some((second >> 8 & 15, (second >> 16) as u16));
        }
        pair.packed()
    }

    fn fill(&mut self, code: u32, length: u32, symbol: u8, dc: bool) {
        let rest = FAST - length;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        let whole = size <= rest && (size > 0 || dc);
        for tail in 0..1 << rest {
            let entry = if whole {
                let value = extend(tail >> (rest - size), size) as u16;
                u32::from(value) << 16 | run << 8 | WHOLE | (length + size)
            } else {
                u32::from(symbol) << 8 | length
            };
            self.fast[(code << rest | tail) as usize] = entry;
        }
    }

    /// Length and symbol of the code that begins with the entry `fast`, and in full with `bits`.
    #[inline(always)]
    fn symbol(&self, fast: u32, bits: u32) -> Option<(u32, u8)> {
        if fast != 0 {
            return Some((fast & 0x7F, (fast >> 8) as u8));
        }
        let length = (FAST + 1..=16).find(|&length| bits < self.limit[length as usize])?;
        let place = (bits >> (16 - length)) as i32 + self.offset[length as usize];
        Some((length, *self.symbols.get(place as usize)?))
    }
}

/// What some bits hold, as [`Bits::block`] takes it apart.
#[derive(Default)]
struct Pair {
    /// Bits of it all, and of the first value alone.
    bits: u32,
    first_bits: u32,
    /// Zeros before a value, and the value.
    first: Option<(u32, u16)>,
    second: Option<(u32, u16)>,
    /// Whether the block ends here.
    end: bool,
}

impl Pair {
    fn packed(&self) -> u64 {
        let (run, value) = self.first.unwrap_or_default();
        let (second_run, second_value) = self.second.unwrap_or_default();
        let whole = u64::from(self.bits) | u64::from(WHOLE) | if self.end { END } else { 0 };
        let first = u64::from(run) << 8 | u64::from(self.first_bits) << 12;
        // What is added for the place of the second value, and for that behind it.
        let gap = second_run + u32::from(self.first.is_some());
        let counts = u64::from(gap) << 32 | u64::from(self.second.is_some()) << 37;
        whole | first | counts | u64::from(value) << 16 | u64::from(second_value) << 48
    }
}

/// The value that `bits`, the low `size` ones, stand for (figure F.12).
#[inline(always)]
fn extend(bits: u32, size: u32) -> i32 {
    let half = (1_u32 << size) >> 1;
    let below = if bits < half { (1_i32 << size) - 1 } else { 0 };
    bits as i32 - below
}

/// Reads bits, the highest of each byte first, from data without stuffed zeros.
pub(super) struct Bits<'a> {
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
    pub(super) fn new(data: &'a [u8], at: usize) -> Self {
        Self {
            data,
            at,
            buffer: 0,
            count: 0,
        }
    }

    /// Makes at least 56 bits ready; zeros behind the end of the data.
    #[inline(always)]
    fn refill(&mut self) {
        let next = self.data.get(self.at..).and_then(|rest| rest.first_chunk());
        self.buffer |= next.map_or(0, |bytes| u64::from_be_bytes(*bytes)) >> self.count;
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 56;
    }

    #[inline(always)]
    fn drop(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// Bits read so far, from the start of the data.
    pub(super) fn position(&self) -> usize {
        self.at * 8 - self.count as usize
    }

    /// Reads a block into `block`, all zeros before, column by column; gives the place behind the last
    /// coefficient in the order of the data. `None` for data that is no block.
    #[inline(always)]
    pub(super) fn block(
        &mut self,
        dc: &Table,
        ac: &Table,
        previous: &mut i32,
        block: &mut [i16; 64],
    ) -> Option<usize> {
        self.refill();
        let entry = dc.fast[(self.buffer >> (64 - FAST)) as usize];
        if entry & WHOLE != 0 {
            *previous = previous.wrapping_add(i32::from((entry >> 16) as i16));
            self.drop(entry & 0x7F);
        } else {
            let (length, symbol) = dc.symbol(entry, (self.buffer >> 48) as u32)?;
            self.drop(length);
            *previous = previous.wrapping_add(self.value(u32::from(symbol)));
        }
        block[0] = *previous as i16;
        let mut k = 1;
        'refills: loop {
            self.refill();
            // Five pairs take at most 50 of the 56 bits.
            for _ in 0..5 {
                let entry = ac.pairs[(self.buffer >> (64 - FAST)) as usize];
                if entry & u64::from(WHOLE) == 0 {
                    self.refill();
                    let (length, symbol) = ac.symbol(entry as u32, (self.buffer >> 48) as u32)?;
                    self.drop(length);
                    let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                    match (run, size) {
                        (0, 0) => return Some(k),
                        (15, 0) => k += 16,
                        (_, 0) => return None,
                        _ => {
                            k += run;
                            block[usize::from(*ZIGZAG.get(k)?)] = self.value(size) as i16;
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
                let end = entry & END != 0;
                if behind + usize::from(end) > 64 {
                    // The block is full after the first value; what follows is another's.
                    block[usize::from(*ZIGZAG[..64].get(first)?)] = (entry >> 16) as i16;
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
                // Zeros where there is no value, on a place that holds none yet; the place behind the
                // last one is the last one itself, so the first value is written after the second.
                block[usize::from(ZIGZAG[second])] = (entry >> 48) as i16;
                block[usize::from(ZIGZAG[first])] = (entry >> 16) as i16;
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

    /// The value of the next `size` bits.
    #[inline(always)]
    fn value(&mut self, size: u32) -> i32 {
        // Two shifts: one by 64 is none at all.
        let bits = (self.buffer >> 1 >> (63 - size)) as u32;
        self.drop(size);
        extend(bits, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_extend_as_figure_f_12_says() {
        let found: Vec<i32> = (0..4).map(|bits| extend(bits, 2)).collect();
        assert_eq!(found, [-3, -2, 2, 3]);
        assert_eq!((extend(0, 1), extend(1, 1), extend(0, 0)), (-1, 1, 0));
    }

    #[test]
    fn impossible_tables_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&counts, &[0, 1, 2], true).is_none());
        counts[0] = 1;
        assert!(Table::new(&counts, &[12], true).is_none());
        assert!(Table::new(&counts, &[12], false).is_some());
    }
}
