//! Words for synsets: from the source where it has them, from a table for the thousand of the ILSVRC
//! 2012 otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::bounded::read_text;
use crate::error::PrepError;

/// One line for each: the synset, a tab, the words of the synset in WordNet 3.0.
const TABLE: &str = include_str!("ilsvrc_synsets.tsv");

/// The table's synsets and words, split once in a process: a list may have a million classes.
static SYNSETS: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    #[cfg(test)]
    tests::SPLITS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    TABLE
        .lines()
        .map(|line| (&line[..9], &line[10..]))
        .collect()
});

/// The words of one of the thousand synsets.
pub(crate) fn ilsvrc_words(synset: &str) -> Option<&'static str> {
    // The table is in the order of its synsets.
    let found = SYNSETS.binary_search_by(|(known, _)| (*known).cmp(synset));
    Some(SYNSETS[found.ok()?].1)
}

/// The thousand synsets in the order of their labels, with their words.
pub(super) fn ilsvrc() -> Vec<(&'static str, &'static str)> {
    SYNSETS.clone()
}

/// Files that sources keep the words of their synsets in, a line each: synset, blank, words.
const WORD_FILES: [&str; 3] = ["LOC_synset_mapping.txt", "synset_words.txt", "words.txt"];

/// The file of words that a folder has.
pub(super) fn file_in(folder: &Path) -> Option<PathBuf> {
    let paths = WORD_FILES.map(|name| folder.join(name));
    paths.into_iter().find(|path| path.is_file())
}

/// The words of a file, by synset.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, String>, PrepError> {
    Ok(parse(&read_text(path)?))
}

/// The words that a source itself has, by synset.
pub(super) fn in_folder(source: &Path) -> Result<BTreeMap<String, String>, PrepError> {
    file_in(source).map_or_else(|| Ok(BTreeMap::new()), |path| read(&path))
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| {
        let (synset, words) = line.trim().split_once([' ', '\t', ','])?;
        Some((synset.to_owned(), words.trim().to_owned()))
    });
    lines.filter(|(_, words)| !words.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often the table was split.
    pub(super) static SPLITS: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn a_million_classes_are_named_with_the_table_split_once() {
        let synsets = (0..=1_000_000).map(|label| format!("{label:07}"));
        let classes = crate::source::classes(synsets.collect(), &BTreeMap::new());
        assert_eq!(classes.len(), 1_000_001);
        assert_eq!(classes[1_000_000].name, "1000000");
        assert_eq!(SPLITS.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_table_is_sorted_and_complete() {
        let synsets: Vec<&str> = TABLE.lines().map(|line| &line[..9]).collect();
        assert_eq!(synsets.len(), 1000);
        assert!(synsets.is_sorted_by(|a, b| a < b));
        assert!(
            TABLE
                .lines()
                .all(|line| line.as_bytes()[9] == b'\t' && line.len() > 10)
        );
        assert_eq!(ilsvrc_words("n01440764"), Some("tench, Tinca tinca"));
        assert_eq!(
            ilsvrc_words("n15075141"),
            Some("toilet tissue, toilet paper, bathroom tissue")
        );
        assert_eq!(ilsvrc_words("n00000001"), None);
        assert_eq!(ilsvrc_words("tench"), None);
    }
}
