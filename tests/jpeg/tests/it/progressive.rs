//! Scans of progressive pictures as tokens, each worked out by hand from T.81, G.1.2.

use shardmill_jpeg_kit::{Blocks, Class, Content, Jpeg, Process, Scan, Token, ZIGZAG, tokens};

/// A block of zeros.
const NONE: &[(u8, i16)] = &[];

/// A grey picture one block high whose blocks have these coefficients by their zigzag places.
fn picture(blocks: &[&[(u8, i16)]]) -> Jpeg {
    let mut jpeg = Jpeg::sampled(8 * blocks.len() as u16, 8, &[(1, 1)]);
    jpeg.frame.process = Process::Progressive;
    let mut grid = Blocks::zeros((blocks.len(), 1));
    for (block, coefficients) in grid.blocks.iter_mut().zip(blocks) {
        for &(at, value) in *coefficients {
            block[usize::from(ZIGZAG[usize::from(at)])] = value;
        }
    }
    jpeg.content = Content::Coefficients(vec![grid]);
    jpeg
}

fn scan(jpeg: &Jpeg, scan: &Scan) -> Vec<Token> {
    tokens(jpeg, scan, &jpeg.coefficients())
}

fn dc(symbol: u8) -> Token {
    Token::Symbol {
        class: Class::Dc,
        table: 0,
        symbol,
    }
}

fn ac(symbol: u8) -> Token {
    Token::Symbol {
        class: Class::Ac,
        table: 0,
        symbol,
    }
}

fn bits(value: u16, count: u8) -> Token {
    Token::Bits { value, count }
}

#[test]
fn dc_coefficients_are_shifted_down_before_their_differences_are_taken() {
    // 5 >> 1 is 2, and -5 >> 1 is -3.
    let jpeg = picture(&[&[(0, 5)], &[(0, -5)]]);
    let first = scan(&jpeg, &Scan::part(&[0], 0..=0, 0, 1));
    assert_eq!(first, [dc(2), bits(0b10, 2), dc(3), bits(0b010, 3)]);
    let second = scan(&jpeg, &Scan::part(&[0], 0..=0, 1, 0));
    assert_eq!(second, [bits(1, 1), bits(1, 1)]);
}

#[test]
fn ac_coefficients_are_divided_towards_zero() {
    // -3 / 2 is -1 and 1 / 2 is 0.
    let jpeg = picture(&[&[(1, -3), (2, 1), (63, 6)]]);
    let first = scan(&jpeg, &Scan::part(&[0], 1..=63, 0, 1));
    let zeros = [ac(0xF0); 3];
    let last = [ac(0xD2), bits(0b11, 2)];
    assert_eq!(first, [&[ac(0x01), bits(0, 1)][..], &zeros, &last].concat());
}

#[test]
fn blocks_that_end_early_are_counted_in_one_run() {
    let jpeg = picture(&[&[(1, 1)], &[], &[(0, 9)], &[(2, 1)], &[]]);
    let first = scan(&jpeg, &Scan::part(&[0], 1..=63, 0, 0));
    let expected = [
        &[ac(0x01), bits(1, 1)][..],
        // Three blocks end: 2 + 1.
        &[ac(0x10), bits(1, 1), ac(0x11), bits(1, 1)],
        &[ac(0x10), bits(0, 1)],
    ];
    assert_eq!(first, expected.concat());
}

#[test]
fn a_run_is_written_when_it_is_as_long_as_it_may_be() {
    let mut jpeg = picture(&[NONE; 5]);
    jpeg.longest_eob_run = 2;
    let first = scan(&jpeg, &Scan::part(&[0], 1..=63, 0, 0));
    let two = [ac(0x10), bits(0, 1)];
    assert_eq!(first, [&two[..], &two, &[ac(0x00), bits(0, 0)]].concat());
}

#[test]
fn a_run_ends_at_a_restart_marker() {
    let jpeg = picture(&[NONE; 3]);
    let mut restarting = Scan::part(&[0], 1..=63, 0, 0);
    restarting.restart = 2;
    let expected = [ac(0x10), bits(0, 1), Token::Restart, ac(0x00), bits(0, 0)];
    assert_eq!(scan(&jpeg, &restarting), expected);
}

#[test]
fn a_block_whose_last_coefficient_is_sent_has_no_end() {
    let jpeg = picture(&[&[(5, -1)], &[(5, 1)]]);
    let band = scan(&jpeg, &Scan::part(&[0], 5..=5, 0, 0));
    assert_eq!(band, [ac(0x01), bits(0, 1), ac(0x01), bits(1, 1)]);
}

#[test]
fn corrections_stand_behind_the_symbol_that_passes_over_their_coefficients() {
    // 3 and -2 are known, -1 and 1 are new.
    let jpeg = picture(&[&[(1, 3), (3, -1), (4, -2), (6, 1), (7, 2)]]);
    let second = scan(&jpeg, &Scan::part(&[0], 1..=63, 1, 0));
    let expected = [
        // A zero, then a new -1; the correction of 3.
        &[ac(0x11), bits(0, 1), bits(1, 1)][..],
        // The correction of -2 on the way to the new 1.
        &[ac(0x11), bits(1, 1), bits(0, 1)],
        // The end of the block, and the correction of 2.
        &[ac(0x00), bits(0, 0), bits(0, 1)],
    ];
    assert_eq!(second, expected.concat());
}

#[test]
fn sixteen_zeros_are_counted_without_the_known_coefficients_between_them() {
    let jpeg = picture(&[&[(10, 2), (20, 1)]]);
    let second = scan(&jpeg, &Scan::part(&[0], 1..=63, 1, 0));
    let expected = [
        // Places 1 to 17 but 10 are sixteen zeros, which leaves two before the new 1.
        &[ac(0xF0), bits(0, 1)][..],
        &[ac(0x21), bits(1, 1)],
        &[ac(0x00), bits(0, 0)],
    ];
    assert_eq!(second, expected.concat());
}

#[test]
fn zeros_behind_the_last_new_coefficient_belong_to_the_end_of_the_block() {
    let jpeg = picture(&[&[(40, 3)], &[(1, 2)]]);
    let second = scan(&jpeg, &Scan::part(&[0], 1..=63, 1, 0));
    // One run of two blocks, and the corrections of both behind it.
    assert_eq!(second, [ac(0x10), bits(0, 1), bits(1, 1), bits(0, 1)]);
}
