//! Entropy-coded data bit by bit.

use shardmill_jpeg_kit::EntropyCoded;

#[test]
fn bits_go_in_from_the_highest_and_the_last_byte_ends_in_ones() {
    let mut data = EntropyCoded::default();
    data.bits(0b101, 3);
    data.bits(0, 2);
    data.bits(0b1_0000_0001, 9);
    assert_eq!(data.finish(), [0b1010_0100, 0b0000_0111]);
}

#[test]
fn no_bits_are_no_bytes_and_whole_bytes_get_no_filling() {
    assert_eq!(EntropyCoded::default().finish(), []);
    let mut data = EntropyCoded::default();
    data.bits(0xABCD, 16);
    assert_eq!(data.finish(), [0xAB, 0xCD]);
}

#[test]
fn bits_above_the_count_are_ignored() {
    let mut data = EntropyCoded::default();
    data.bits(0xFFF0, 4);
    data.bits(0xFFF1, 4);
    data.bits(0xFFFF, 0);
    assert_eq!(data.finish(), [0x01]);
}

#[test]
fn a_zero_follows_every_byte_of_ones_filled_ones_too() {
    let mut data = EntropyCoded::default();
    data.bits(0xFFFF, 16);
    data.bits(0b111, 3);
    assert_eq!(data.finish(), [0xFF, 0, 0xFF, 0, 0xFF, 0]);
}

#[test]
fn restart_markers_stand_between_whole_bytes_and_count_from_the_first_number() {
    let mut data = EntropyCoded::with_first_restart(6);
    for _ in 0..3 {
        data.bits(0, 1);
        data.restart();
    }
    assert_eq!(
        data.finish(),
        [0x7F, 0xFF, 0xD6, 0x7F, 0xFF, 0xD7, 0x7F, 0xFF, 0xD0]
    );
}
