//! Samples of packed sources: their splits, their keys, and labels as indices into sorted synsets.

use std::collections::{BTreeMap, BTreeSet};

use super::packed::Packed;
use super::repeats::tell_apart;
use super::{Entry, Listing, NO_LABEL, Place, classes, is_clutter, names};
use crate::error::PrepError;

/// Largest number that is taken for a label. The classes up to it take some hundred bytes each, whether they have images
/// or not, so a fuzzer gets a limit that its memory has room for.
pub(super) const LARGEST_LABEL: i64 = if cfg!(fuzzing) { 10_000 } else { 1_000_000 };

/// An image of a packed file, with the label that the source gives it.
pub(super) struct Sample {
    pub(super) split: &'static str,
    /// As the source counts, or [`NO_LABEL`].
    pub(super) label: i64,
    /// From [`file_name`].
    pub(super) name: Box<str>,
    /// The key, if the source says it: exported datasets do.
    pub(super) key: Option<Box<str>>,
    /// Which of the source's files it is in.
    pub(super) file: u32,
    pub(super) place: Place,
}

/// The last component of a path of any system; `None` if it names no file.
pub(super) fn file_name(path: &str) -> Option<&str> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let named = !matches!(name, "" | "." | "..") && !is_clutter(name);
    named.then_some(name)
}

/// A text as one component of a key; `None` if nothing is left of it.
pub(super) fn component(text: &str) -> Option<String> {
    let dangerous = |c: char| c == '/' || c == '\\' || c.is_control();
    let text = text.trim().replace(dangerous, "_");
    (!matches!(text.as_str(), "" | "." | "..")).then_some(text)
}

/// Whether a text has the form of the ILSVRC's synsets, `n` and eight digits.
pub(super) fn is_wnid(text: &str) -> bool {
    text.len() == 9 && text.starts_with('n') && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a label without a synset. `largest` is the largest label, so that the names sort
/// as the numbers do.
pub(super) fn numbered(label: i64, largest: i64) -> String {
    let width = largest.to_string().len().max(4);
    format!("{label:0width$}")
}

/// The synsets of labels that are numbers alone: one for every number up to the largest, so that a label
/// is its number.
pub(super) fn fill_numbers(largest: Option<i64>) -> BTreeMap<i64, String> {
    let largest = largest.unwrap_or(NO_LABEL);
    let labels = 0..=largest;
    labels
        .map(|label| (label, numbered(label, largest)))
        .collect()
}

/// What classes with these names are called as synsets: the names, made components of keys. If two are
/// alike then, all are distinguished by their labels instead, so that they stay in the order of the labels.
/// Names that a synset does not show are added to `words`.
pub(super) fn named<'a>(
    names: impl Iterator<Item = (i64, &'a str)>,
    words: &mut BTreeMap<String, String>,
) -> BTreeMap<i64, String> {
    let names: BTreeMap<i64, &str> = names.collect();
    let largest = names.last_key_value().map_or(0, |(&label, _)| label);
    let mut synsets: BTreeMap<i64, String> = BTreeMap::new();
    for (&label, name) in &names {
        let synset = component(name).unwrap_or_else(|| numbered(label, largest));
        synsets.insert(label, synset);
    }
    let different: BTreeSet<&String> = synsets.values().collect();
    if different.len() < synsets.len() {
        let numbers = names.keys();
        synsets = numbers
            .map(|&label| (label, numbered(label, largest)))
            .collect();
        for (label, synset) in &synsets {
            words.insert(synset.clone(), names[label].to_owned());
        }
    }
    for (label, synset) in &synsets {
        if !is_wnid(synset) {
            let name = || names[label].to_owned();
            words.entry(synset.clone()).or_insert_with(name);
        }
    }
    synsets
}

/// Completes a listing: keys are made, labels are counted among the synsets in order. `synsets` has
/// every label of a sample.
pub(super) fn finish(
    mut listing: Listing,
    files: &[Packed],
    samples: Vec<Sample>,
    synsets: &BTreeMap<i64, String>,
    words: &BTreeMap<String, String>,
) -> Result<Listing, PrepError> {
    let wrong = |file: u32, message: String| PrepError::Source {
        path: files[file as usize].path.clone(),
        message,
    };
    let mut places: BTreeMap<&str, i64> = BTreeMap::new();
    for (&label, synset) in synsets {
        if let Some(other) = places.insert(synset, label) {
            let message = format!("labels {other} and {label} are both called {synset:?}");
            return Err(wrong(0, message));
        }
    }
    let labels: BTreeMap<i64, i64> = places.values().copied().zip(0..).collect();
    listing.classes = classes(
        places.keys().map(|&synset| synset.to_owned()).collect(),
        words,
    );
    let mut labelled: BTreeMap<&str, bool> = BTreeMap::new();
    for sample in samples {
        let Sample {
            split,
            label,
            name,
            key,
            file,
            place,
        } = sample;
        // A reject has no need of a label.
        if !matches!(place, Place::Rejected(_)) {
            let mixed = *labelled.entry(split).or_insert(label >= 0) != (label >= 0);
            // A Shardmill dataset says itself what has no labels.
            if mixed || label < 0 && split != "test" && key.is_none() {
                let message = if label < 0 {
                    format!(
                        "{name} has no label, but split {split:?} has labels: images without labels go \
                         into files with \"test\" in their names"
                    )
                } else {
                    format!("{name} has a label, but other images of split {split:?} have none")
                };
                return Err(wrong(file, message));
            }
        }
        let (label, made) = match synsets.get(&label) {
            Some(synset) => (
                labels[&label],
                format!("{split}/{synset}/{}", without_suffix(&name, synset)),
            ),
            None => (NO_LABEL, format!("{split}/{name}")),
        };
        let key = key.unwrap_or_else(|| made.into());
        let entries = listing.splits.entry(split).or_default();
        entries.push(Entry { label, key, place });
    }
    for entries in listing.splits.values_mut() {
        tell_apart(entries);
    }
    Ok(listing)
}

/// Hugging Face puts the synset after an image's name: `n01440764_10026_n01440764.JPEG`.
fn without_suffix(name: &str, synset: &str) -> String {
    let stripped = name.rsplit_once('.').and_then(|(stem, extension)| {
        let stem = stem.strip_suffix(synset)?.strip_suffix('_')?;
        (is_wnid(synset) && !stem.is_empty()).then(|| format!("{stem}.{extension}"))
    });
    stripped.unwrap_or_else(|| name.to_owned())
}

/// Gives the labels that are between the found ones their synsets: those of the ILSVRC where the found
/// ones have them, so that a few files of the whole keep its labels.
pub(super) fn fill_gaps(synsets: &mut BTreeMap<i64, String>) {
    let Some((&largest, _)) = synsets.last_key_value() else {
        return;
    };
    if synsets.len() as i64 == largest + 1 {
        return;
    }
    let table = names::ilsvrc();
    let in_table = |(&label, synset): (&i64, &String)| {
        let place = usize::try_from(label).ok();
        place
            .and_then(|at| table.get(at))
            .is_some_and(|(known, _)| known == synset)
    };
    if synsets.iter().all(in_table) {
        synsets.extend((0..).zip(table.iter().map(|(synset, _)| (*synset).to_owned())));
    } else if synsets
        .iter()
        .all(|(&label, synset)| *synset == numbered(label, largest))
    {
        synsets.extend((0..=largest).map(|label| (label, numbered(label, largest))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_lead_anywhere() {
        for (path, name) in [
            ("a/b.jpg", Some("b.jpg")),
            ("../../x.jpg", Some("x.jpg")),
            ("/abs.jpg", Some("abs.jpg")),
            ("C:\\x.jpg", Some("x.jpg")),
            ("..\\..\\x.jpg", Some("x.jpg")),
            ("a/..", None),
            ("a/", None),
            ("..", None),
            ("", None),
            ("a/._b.jpg", None),
        ] {
            assert_eq!(file_name(path), name, "{path}");
        }
        assert_eq!(component("a/../b").as_deref(), Some("a_.._b"));
        assert_eq!(component(" .. "), None);
    }

    #[test]
    fn the_suffix_of_hugging_face_is_removed() {
        let synset = "n01440764";
        for (name, expected) in [
            ("n01440764_10026_n01440764.JPEG", "n01440764_10026.JPEG"),
            ("n01440764_10026.JPEG", "n01440764_10026.JPEG"),
            ("_n01440764.JPEG", "_n01440764.JPEG"),
            ("a_n01443537.JPEG", "a_n01443537.JPEG"),
        ] {
            assert_eq!(without_suffix(name, synset), expected);
        }
        assert_eq!(without_suffix("image_0007.jpg", "0007"), "image_0007.jpg");
    }

    #[test]
    fn a_part_of_the_ilsvrc_keeps_its_labels_and_so_do_numbers() {
        let filled = |pairs: &[(i64, &str)]| {
            let mut synsets = pairs
                .iter()
                .map(|(label, s)| (*label, (*s).to_owned()))
                .collect();
            fill_gaps(&mut synsets);
            synsets.len()
        };
        assert_eq!(filled(&[(1, "n01443537"), (2, "n01484850")]), 1000);
        assert_eq!(filled(&[(0, "n01440764"), (1, "n01443537")]), 2);
        assert_eq!(filled(&[(1, "n01443537"), (3, "n00000001")]), 2);
        assert_eq!(filled(&[(1, "0001"), (7, "0007")]), 8);
    }
}
