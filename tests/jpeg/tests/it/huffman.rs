//! Huffman tables.

use shardmill_jpeg_kit::{HuffmanTable, Random};

fn counts(of: &[(u8, u64)]) -> [u64; 256] {
    let mut counts = [0; 256];
    of.iter()
        .for_each(|&(symbol, count)| counts[usize::from(symbol)] = count);
    counts
}

/// Every symbol that occurs has a code, no code begins another, and none consists of ones.
fn check(table: &HuffmanTable, counts: &[u64; 256]) {
    let used: Vec<u8> = (0..=255).filter(|&s| counts[usize::from(s)] > 0).collect();
    assert_eq!(
        table.lengths.iter().map(|&n| usize::from(n)).sum::<usize>(),
        table.symbols.len()
    );
    let codes: Vec<(u16, u8)> = used
        .iter()
        .map(|&s| table.code(s).expect("a code"))
        .collect();
    for (at, &(code, bits)) in codes.iter().enumerate() {
        assert!((1..=16).contains(&bits));
        assert_ne!(u32::from(code), (1u32 << bits) - 1, "a code of ones");
        for &(other, more) in codes[..at].iter().chain(&codes[at + 1..]) {
            assert!(
                more < bits || other >> (more - bits) != code,
                "{code:b} begins {other:b}"
            );
        }
    }
}

/// Bits of the coded symbols.
fn cost(table: &HuffmanTable, counts: &[u64; 256]) -> u64 {
    let bits = |symbol: u8| table.code(symbol).map_or(0, |(_, bits)| u64::from(bits));
    (0..=255)
        .map(|symbol| bits(symbol) * counts[usize::from(symbol)])
        .sum()
}

#[test]
fn codes_are_counted_up_from_the_shortest() {
    let mut lengths = [0; 16];
    (lengths[1], lengths[2]) = (2, 3);
    let table = HuffmanTable {
        lengths,
        symbols: vec![7, 5, 200, 1, 0],
    };
    let codes = [7, 5, 200, 1, 0].map(|symbol| table.code(symbol).unwrap());
    assert_eq!(
        codes,
        [(0b00, 2), (0b01, 2), (0b100, 3), (0b101, 3), (0b110, 3)]
    );
    assert_eq!(table.code(9), None);
}

#[test]
fn frequent_symbols_get_the_short_codes() {
    let counts = counts(&[(3, 100), (9, 40), (1, 20), (4, 20)]);
    let table = HuffmanTable::optimised(&counts);
    check(&table, &counts);
    let bits = [3, 9, 1, 4].map(|symbol| table.code(symbol).unwrap().1);
    // The code of ones takes the place beside one of the rarest.
    assert_eq!(bits, [1, 2, 3, 4].map(|bits: u8| bits));
}

#[test]
fn one_symbol_or_none_makes_a_table_of_one_code() {
    for counts in [counts(&[]), counts(&[(0, 9)])] {
        let table = HuffmanTable::optimised(&counts);
        assert_eq!(table.code(0), Some((0, 1)));
        assert_eq!(table.symbols, [0]);
    }
}

#[test]
fn no_code_is_longer_than_16_bits_whatever_the_counts_are() {
    // Fibonacci's numbers make the deepest tree there is.
    let mut fibonacci = [0u64; 256];
    let (mut a, mut b) = (1u64, 1u64);
    for count in fibonacci.iter_mut().take(60) {
        *count = a;
        (a, b) = (b, a + b);
    }
    let table = HuffmanTable::optimised(&fibonacci);
    check(&table, &fibonacci);
    assert!(table.lengths[15] > 0);
}

#[test]
fn random_counts_make_codes_that_can_be_told_apart_and_beat_the_flat_table() {
    let mut random = Random::new(5);
    for _ in 0..60 {
        let mut counts = [0; 256];
        for _ in 0..=random.below(300) {
            counts[random.below(256)] += 1 << random.below(30);
        }
        let table = HuffmanTable::optimised(&counts);
        check(&table, &counts);
        check(&HuffmanTable::long(&counts), &counts);
        // A symbol that fills everything costs a bit, and the code of ones costs some.
        assert!(cost(&table, &counts) <= cost(&HuffmanTable::flat(), &counts));
    }
}

#[test]
fn long_tables_give_most_symbols_16_bits() {
    let all = [1; 256];
    let table = HuffmanTable::long(&all);
    check(&table, &all);
    assert_eq!(
        table.lengths,
        [0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 249]
    );
}

#[test]
fn the_flat_table_codes_every_symbol() {
    check(&HuffmanTable::flat(), &[1; 256]);
}
