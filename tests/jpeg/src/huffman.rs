//! A Huffman table: which codes symbols have.

/// The codes of a table as a DHT segment states them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuffmanTable {
    /// How many codes have 1, 2, ... 16 bits.
    pub lengths: [u8; 16],
    /// Symbols from the shortest code to the longest.
    pub symbols: Vec<u8>,
}

/// Stands for no symbol: it takes the code of ones alone, which no symbol may have (T.81, K.2).
const RESERVED: usize = 256;

impl HuffmanTable {
    /// The table with the shortest codes for symbols that occur as often as `counts` says, and no code
    /// above 16 bits (T.81, K.2). Where nothing occurs, symbol 0 has a code.
    #[must_use]
    pub fn optimised(counts: &[u64; 256]) -> Self {
        let mut lengths = code_lengths(counts);
        limit_to_16(&mut lengths);
        // The reserved symbol has the longest code of all.
        if let Some(longest) = lengths.iter().rposition(|&count| count > 0) {
            lengths[longest] -= 1;
        }
        let symbols = by_code_length(counts);
        Self {
            lengths: std::array::from_fn(|at| lengths[at + 1] as u8),
            symbols,
        }
    }

    /// Codes of 8 bits for the first 254 of all 256 symbols, and of 9 bits for the others.
    #[must_use]
    pub fn flat() -> Self {
        let mut lengths = [0; 16];
        lengths[7] = 254;
        lengths[8] = 2;
        Self {
            lengths,
            symbols: (0..=255).collect(),
        }
    }

    /// Codes as long as can be for the symbols that occur: the rarer a symbol the shorter its code, the
    /// first of 2 bits, then one of 3 bits and so on up to 8, and all others of 16 bits.
    #[must_use]
    pub fn long(counts: &[u64; 256]) -> Self {
        let mut symbols = used(counts);
        symbols.sort_by_key(|&symbol| counts[usize::from(symbol)]);
        let mut lengths = [0; 16];
        let short = symbols.len().saturating_sub(1).min(7);
        lengths[1..=short].fill(1);
        lengths[15] = (symbols.len() - short) as u8;
        Self { lengths, symbols }
    }

    /// The code of a symbol and its number of bits, if it has one (T.81, annex C).
    #[must_use]
    pub fn code(&self, symbol: u8) -> Option<(u16, u8)> {
        let place = self.symbols.iter().position(|&found| found == symbol)?;
        let (mut code, mut before) = (0u32, 0);
        for (at, &count) in self.lengths.iter().enumerate() {
            let count = usize::from(count);
            if place < before + count {
                return Some(((code + (place - before) as u32) as u16, at as u8 + 1));
            }
            before += count;
            code = (code + count as u32) << 1;
        }
        None
    }

    /// What a DHT segment holds of this table, without class and destination.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.lengths[..], &self.symbols[..]].concat()
    }
}

/// Symbols that occur; symbol 0 if none does.
fn used(counts: &[u64; 256]) -> Vec<u8> {
    let occurs = |symbol: &u8| counts[usize::from(*symbol)] > 0;
    let symbols: Vec<u8> = (0..=255).filter(occurs).collect();
    if symbols.is_empty() { vec![0] } else { symbols }
}

/// Symbols from the most to the least frequent, which is from the shortest to the longest code.
fn by_code_length(counts: &[u64; 256]) -> Vec<u8> {
    let mut symbols = used(counts);
    symbols.sort_by_key(|&symbol| std::cmp::Reverse(counts[usize::from(symbol)]));
    symbols
}

/// How many codes of each length Huffman's algorithm gives, with the reserved symbol.
fn code_lengths(counts: &[u64; 256]) -> Vec<usize> {
    let symbols = used(counts);
    let weight = |&symbol: &u8| counts[usize::from(symbol)].max(1);
    // The reserved symbol is rarer than all others. Each tree holds the symbols of its leaves.
    let reserved = (0, vec![RESERVED]);
    let leaves = symbols
        .iter()
        .map(|s| (2 * weight(s), vec![usize::from(*s)]));
    let mut trees: Vec<(u64, Vec<usize>)> = std::iter::once(reserved).chain(leaves).collect();
    let mut depth = [0; RESERVED + 1];
    while trees.len() > 1 {
        trees.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let (rarest, leaves) = trees.pop().unwrap_or_default();
        let (weight, mut joined) = trees.pop().unwrap_or_default();
        joined.extend(leaves);
        joined.iter().for_each(|&leaf| depth[leaf] += 1);
        trees.push((rarest + weight, joined));
    }
    let deepest = depth.iter().max().copied().unwrap_or(0);
    let mut lengths = vec![0; deepest.max(16) + 1];
    depth
        .iter()
        .filter(|&&d| d > 0)
        .for_each(|&d| lengths[d] += 1);
    lengths
}

/// Shortens codes of more than 16 bits: two of the longest become one that is a bit shorter, and a
/// shorter code makes room for the other (T.81, figure K.3).
fn limit_to_16(lengths: &mut Vec<usize>) {
    for longest in (17..lengths.len()).rev() {
        while lengths[longest] > 0 {
            let shorter = (1..longest - 1).rev().find(|&at| lengths[at] > 0);
            let shorter = shorter.expect("a code that is shorter by two bits");
            lengths[longest] -= 2;
            lengths[longest - 1] += 1;
            lengths[shorter + 1] += 2;
            lengths[shorter] -= 1;
        }
    }
    lengths.truncate(17);
}
