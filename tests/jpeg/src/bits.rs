//! Entropy-coded data: bits with stuffed zeros, and restart markers.

use crate::tables::Tables;
use crate::token::Token;

/// Entropy-coded data that grows bit by bit.
#[derive(Clone, Debug, Default)]
pub struct EntropyCoded {
    bytes: Vec<u8>,
    /// Bits that do not make a byte yet, and how many.
    waiting: u32,
    count: u8,
    restarts: u8,
}

impl EntropyCoded {
    /// Entropy-coded data whose first restart marker has this number, 0 in a legal stream.
    #[must_use]
    pub fn with_first_restart(number: u8) -> Self {
        Self {
            restarts: number,
            ..Self::default()
        }
    }

    /// Appends the lowest `count` bits of `value`, at most 16, the highest of them first. A byte 0xFF
    /// is followed by a zero (T.81, F.1.2.3).
    pub fn bits(&mut self, value: u16, count: u8) {
        self.waiting = self.waiting << count | u32::from(value) & ((1 << count) - 1);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.waiting >> self.count) as u8;
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
        self.waiting &= (1 << self.count) - 1;
    }

    /// Fills the last byte with ones and appends the next restart marker.
    pub fn restart(&mut self) {
        self.fill();
        self.bytes.extend([0xFF, 0xD0 | (self.restarts % 8)]);
        self.restarts = self.restarts.wrapping_add(1);
    }

    /// The data, its last byte filled with ones.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.fill();
        self.bytes
    }

    fn fill(&mut self) {
        if self.count > 0 {
            let missing = 8 - self.count;
            self.bits(0xFF, missing);
        }
    }

    /// Appends a token.
    pub(crate) fn token(&mut self, token: &Token, tables: &Tables) {
        match *token {
            Token::Bits { value, count } => self.bits(value, count),
            Token::Restart => self.restart(),
            Token::Symbol {
                class,
                table,
                symbol,
            } => {
                let code = tables[&(class, table)].code(symbol);
                let (code, count) = code.unwrap_or_else(|| {
                    panic!("{class:?} table {table} has no code for {symbol:#04x}")
                });
                self.bits(code, count);
            }
        }
    }
}
