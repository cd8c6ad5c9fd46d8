//! Which Huffman tables a stream has.

use std::collections::BTreeMap;

use crate::huffman::HuffmanTable;
use crate::standard;
use crate::token::{Class, Token};

/// How the Huffman tables are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// The tables of T.81, K.3, before the first scan: for luminance at destinations 0 and 2, for
    /// chrominance at 1 and 3. They cannot code progressive scans.
    Standard,
    /// The same, but no table is written, as in the frames of Motion JPEG.
    Missing,
    /// Tables for each scan, with the shortest codes.
    Optimised,
    /// Tables for each scan, with codes as long as can be: see [`HuffmanTable::long`].
    Long,
    /// Tables with codes of 8 and 9 bits for all 256 symbols, before each scan.
    Flat,
}

/// Tables by class and destination.
pub(crate) type Tables = BTreeMap<(Class, u8), HuffmanTable>;

impl Coding {
    /// The tables that code `tokens`.
    pub(crate) fn tables(self, tokens: &[Token]) -> Tables {
        let mut counts: BTreeMap<(Class, u8), [u64; 256]> = BTreeMap::new();
        for token in tokens {
            if let Token::Symbol {
                class,
                table,
                symbol,
            } = *token
            {
                counts.entry((class, table)).or_insert([0; 256])[usize::from(symbol)] += 1;
            }
        }
        let table = |(class, destination): (Class, u8), counts: &[u64; 256]| match self {
            Self::Standard | Self::Missing => standard::table(class, destination % 2 == 1),
            Self::Optimised => HuffmanTable::optimised(counts),
            Self::Long => HuffmanTable::long(counts),
            Self::Flat => match class {
                Class::Ac => HuffmanTable::flat(),
                // Decoders refuse DC symbols above 15.
                Class::Dc => HuffmanTable::optimised(&std::array::from_fn(|at| u64::from(at < 16))),
            },
        };
        counts
            .iter()
            .map(|(&key, counts)| (key, table(key, counts)))
            .collect()
    }

    /// Whether tables are written before every scan.
    pub(crate) fn is_for_each_scan(self) -> bool {
        matches!(self, Self::Optimised | Self::Long | Self::Flat)
    }
}

/// The standard tables for luminance, and with several components also those for chrominance.
pub(crate) fn standard_tables(components: usize) -> Tables {
    let kinds = [false, true].into_iter().take(components);
    kinds
        .flat_map(|chroma| {
            let key = |class| ((class, u8::from(chroma)), standard::table(class, chroma));
            [key(Class::Dc), key(Class::Ac)]
        })
        .collect()
}

/// What a DHT segment holds of one table (T.81, B.2.4.2).
pub(crate) fn dht((class, destination): (Class, u8), table: &HuffmanTable) -> Vec<u8> {
    let mut bytes = vec![u8::from(class == Class::Ac) << 4 | destination];
    bytes.extend(table.bytes());
    bytes
}
