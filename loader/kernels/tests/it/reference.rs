//! The lines of the fixture that `tests/reference/torchvision_augment.py` makes, for tests.

/// Size of the picture.
pub(super) const HEIGHT: usize = 40;
pub(super) const WIDTH: usize = 48;

const FIXTURE: &str = include_str!("../../../../tests/reference/fixtures/torchvision.txt");

/// The picture that torchvision was given.
pub(super) fn picture() -> Vec<u8> {
    (0..HEIGHT * WIDTH * 3)
        .map(|k| (k / 3 / WIDTH, k / 3 % WIDTH, k % 3))
        .map(|(y, x, c)| (5 * y + 3 * x + 71 * c + x * y / 7) as u8)
        .collect()
}

/// The words and the bytes of each line of a kind.
pub(super) fn lines(kind: &str) -> Vec<(Vec<&'static str>, Vec<u8>)> {
    let lines: Vec<_> = FIXTURE
        .lines()
        .filter_map(|line| line.strip_prefix(kind))
        .map(|line| {
            let mut words: Vec<_> = line.split_whitespace().collect();
            let hex = words.pop().unwrap();
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (words, (0..hex.len()).step_by(2).map(byte).collect())
        })
        .collect();
    assert!(!lines.is_empty(), "no line begins with {kind}");
    lines
}

/// Fails if a byte differs by more than one, or more than `share` of them differ.
pub(super) fn assert_close(found: &[u8], wanted: &[u8], share: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let apart = || found.iter().zip(wanted).map(|(a, b)| a.abs_diff(*b));
    let differing = apart().filter(|d| *d > 0).count();
    assert!(
        apart().max() <= Some(1),
        "{what}: off by {:?}",
        apart().max()
    );
    assert!(
        differing as f64 <= share * found.len() as f64,
        "{what}: {differing} of {} differ",
        found.len()
    );
}
