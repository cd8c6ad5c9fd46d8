//! Blocks as the sequential modes code them (T.81, F.1.2).

use crate::frame::Component;
use crate::token::{Class, Token, category, magnitude_bits};
use crate::zigzag::ZIGZAG;

/// Sixteen zeros (ZRL).
pub(crate) const SIXTEEN_ZEROS: u8 = 0xF0;

/// All coefficients of a block.
pub(crate) fn block(
    out: &mut Vec<Token>,
    component: &Component,
    block: &[i16; 64],
    prediction: &mut i32,
) {
    dc(out, component.dc, i32::from(block[0]), prediction);
    let symbol = |symbol| Token::Symbol {
        class: Class::Ac,
        table: component.ac,
        symbol,
    };
    let mut zeros = 0;
    for place in &ZIGZAG[1..] {
        let value = i32::from(block[usize::from(*place)]);
        if value == 0 {
            zeros += 1;
            continue;
        }
        while zeros > 15 {
            out.push(symbol(SIXTEEN_ZEROS));
            zeros -= 16;
        }
        out.push(symbol(zeros << 4 | category(value)));
        out.push(magnitude_bits(value));
        zeros = 0;
    }
    if zeros > 0 {
        // The end of the block.
        out.push(symbol(0));
    }
}

/// A DC coefficient as the difference from the one before.
pub(crate) fn dc(out: &mut Vec<Token>, table: u8, value: i32, prediction: &mut i32) {
    let difference = value - *prediction;
    *prediction = value;
    out.push(Token::Symbol {
        class: Class::Dc,
        table,
        symbol: category(difference),
    });
    out.push(magnitude_bits(difference));
}
