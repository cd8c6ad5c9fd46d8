//! Words for synsets: from the source where it has them, from a table for the thousand of the ILSVRC
//! 2012 otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::bounded::read_text;
use crate::error::PrepError;

/// One line for each: the synset, a tab, the words of the synset in WordNet 3.0.
const TABLE: &str = include_str!("ilsvrc_synsets.tsv");

/// The words of one of the thousand synsets.
pub(crate) fn ilsvrc_words(synset: &str) -> Option<&'static str> {
    // A line is found by halving: every line begins with nine characters of synset, in order.
    let lines: Vec<&'static str> = TABLE.lines().collect();
    let found = lines.binary_search_by(|line| line[..9].cmp(synset));
    Some(&lines[found.ok()?][10..])
}

/// The thousand synsets in the order of their labels, with their words.
pub(super) fn ilsvrc() -> Vec<(&'static str, &'static str)> {
    TABLE
        .lines()
        .map(|line| (&line[..9], &line[10..]))
        .collect()
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
    use super::*;

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
