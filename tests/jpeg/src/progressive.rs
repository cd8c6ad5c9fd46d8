//! Blocks as the progressive mode codes them (T.81, G.1.2).

use crate::scan::Scan;
use crate::sequential::SIXTEEN_ZEROS;
use crate::token::{Class, Token, category, magnitude_bits};
use crate::zigzag::ZIGZAG;

/// Blocks that end without another coefficient and are not written yet, and the correction bits of
/// their coefficients.
pub(crate) struct EobRun {
    longest: u16,
    table: u8,
    blocks: u16,
    corrections: Vec<Token>,
}

impl EobRun {
    /// No blocks; a run is written when it holds `longest`, 1 to 32,767.
    pub(crate) fn new(longest: u16) -> Self {
        assert!(
            (1..=0x7FFF).contains(&longest),
            "a run holds 1 to 32,767 blocks, not {longest}"
        );
        Self {
            longest,
            table: 0,
            blocks: 0,
            corrections: Vec::new(),
        }
    }

    /// Blocks from now on use this Huffman table; a run never extends over two.
    pub(crate) fn use_table(&mut self, table: u8, out: &mut Vec<Token>) {
        if table != self.table {
            self.flush(out);
            self.table = table;
        }
    }

    /// Adds a block with the corrections behind its last new coefficient.
    fn add(&mut self, corrections: Vec<Token>, out: &mut Vec<Token>) {
        self.blocks += 1;
        self.corrections.extend(corrections);
        if self.blocks == self.longest {
            self.flush(out);
        }
    }

    /// Writes the run, if there is one.
    pub(crate) fn flush(&mut self, out: &mut Vec<Token>) {
        if self.blocks > 0 {
            let count = self.blocks.ilog2() as u8;
            out.push(self.symbol(count << 4));
            out.push(Token::Bits {
                value: self.blocks - (1 << count),
                count,
            });
            self.blocks = 0;
        }
        out.append(&mut self.corrections);
    }

    fn symbol(&self, symbol: u8) -> Token {
        Token::Symbol {
            class: Class::Ac,
            table: self.table,
            symbol,
        }
    }
}

/// One more bit of the DC coefficient.
pub(crate) fn dc_refinement(out: &mut Vec<Token>, scan: &Scan, block: &[i16; 64]) {
    out.push(bit(i32::from(block[0]) >> scan.low));
}

/// The first bits of the AC coefficients of a band.
pub(crate) fn ac_first(out: &mut Vec<Token>, run: &mut EobRun, scan: &Scan, block: &[i16; 64]) {
    let mut zeros = 0;
    for value in band(scan, block) {
        // Rounds towards zero.
        let value = value / (1 << scan.low);
        if value == 0 {
            zeros += 1;
            continue;
        }
        run.flush(out);
        while zeros > 15 {
            out.push(run.symbol(SIXTEEN_ZEROS));
            zeros -= 16;
        }
        out.push(run.symbol(zeros << 4 | category(value)));
        out.push(magnitude_bits(value));
        zeros = 0;
    }
    if zeros > 0 {
        run.add(Vec::new(), out);
    }
}

/// One more bit of the AC coefficients of a band: those that were zero may become 1 or -1, and each of
/// the others has a correction bit, which stands behind the next symbol.
pub(crate) fn ac_refinement(
    out: &mut Vec<Token>,
    run: &mut EobRun,
    scan: &Scan,
    block: &[i16; 64],
) {
    let magnitudes: Vec<(i32, bool)> = band(scan, block)
        .map(|value| (value.abs() >> scan.low, value < 0))
        .collect();
    let is_new = |&(magnitude, _): &(i32, bool)| magnitude == 1;
    let new_until = magnitudes.iter().rposition(is_new).map_or(0, |at| at + 1);
    let mut corrections = Vec::new();
    let mut zeros = 0;
    for (at, &(magnitude, is_negative)) in magnitudes.iter().enumerate() {
        if magnitude == 0 {
            zeros += 1;
            continue;
        }
        // Behind the last new coefficient, the end of the block stands for all zeros.
        while zeros > 15 && at < new_until {
            run.flush(out);
            out.push(run.symbol(SIXTEEN_ZEROS));
            out.append(&mut corrections);
            zeros -= 16;
        }
        if magnitude > 1 {
            corrections.push(bit(magnitude));
            continue;
        }
        run.flush(out);
        out.push(run.symbol(zeros << 4 | 1));
        out.push(bit(i32::from(!is_negative)));
        out.append(&mut corrections);
        zeros = 0;
    }
    if zeros > 0 || !corrections.is_empty() {
        run.add(corrections, out);
    }
}

/// The AC coefficients of a scan's band in zigzag order.
fn band<'a>(scan: &Scan, block: &'a [i16; 64]) -> impl Iterator<Item = i32> + use<'a> {
    let places = usize::from(scan.first.max(1))..=usize::from(scan.last);
    let places = ZIGZAG[places].iter();
    places.map(|&place| i32::from(block[usize::from(place)]))
}

/// The lowest bit of a number.
fn bit(value: i32) -> Token {
    Token::Bits {
        value: (value & 1) as u16,
        count: 1,
    }
}
