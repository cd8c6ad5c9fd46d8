//! What a scan says, before it is known which codes its Huffman tables have.

/// The two classes of Huffman tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Differences of DC coefficients.
    Dc,
    /// Runs and sizes of AC coefficients.
    Ac,
}

/// A piece of entropy-coded data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A symbol that is coded with a Huffman table.
    Symbol {
        /// Class of the table.
        class: Class,
        /// Destination of the table.
        table: u8,
        /// What is coded.
        symbol: u8,
    },
    /// The lowest `count` bits of `value`, as they are.
    Bits {
        /// The bits.
        value: u16,
        /// How many, up to 16.
        count: u8,
    },
    /// A restart marker.
    Restart,
}

/// Number of bits of a magnitude: the category of T.81, tables F.1 and F.2.
pub(crate) fn category(value: i32) -> u8 {
    (32 - value.unsigned_abs().leading_zeros()) as u8
}

/// The bits that follow a category: the value itself, or less one if it is negative.
pub(crate) fn magnitude_bits(value: i32) -> Token {
    let count = category(value);
    let value = if value < 0 { value - 1 } else { value };
    Token::Bits {
        value: (value & ((1 << count) - 1)) as u16,
        count,
    }
}
