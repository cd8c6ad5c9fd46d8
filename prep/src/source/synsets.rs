//! The synset of each label, from what many samples say of it.

use std::collections::BTreeMap;

use super::samples::{component, is_wnid, numbered};

/// What was found out about each label.
#[derive(Default)]
pub(super) struct Synsets(BTreeMap<i64, Known>);

#[derive(Default)]
struct Known {
    /// What the samples call it.
    said: Option<String>,
    /// What the names of the samples' images hint at.
    hint: Option<String>,
    /// Whether they hint at several.
    vague: bool,
    words: Option<String>,
}

impl Synsets {
    /// Adds a sample: its label, its synset and words if it has them, and the path of its image. The error says
    /// that another sample with this label has another synset.
    pub(super) fn add(
        &mut self,
        label: i64,
        synset: Option<&str>,
        words: Option<String>,
        path: &str,
    ) -> Result<(), String> {
        let known = self.0.entry(label).or_default();
        if let Some(synset) = synset.and_then(component) {
            match &known.said {
                None => known.said = Some(synset),
                Some(said) if *said == synset => {}
                Some(said) => {
                    return Err(format!(
                        "label {label} is synset {synset:?} here, but {said:?} before"
                    ));
                }
            }
        }
        if let Some(hint) = hint(path) {
            known.vague |= known.hint.as_deref().is_some_and(|known| known != hint);
            known.hint.get_or_insert_with(|| hint.to_owned());
        }
        known.words = known.words.take().or(words);
        Ok(())
    }

    /// The synset of each label: what the samples say, else what their names agree upon, else the
    /// label's number. Words that samples give are added to `words`.
    pub(super) fn resolve(self, words: &mut BTreeMap<String, String>) -> BTreeMap<i64, String> {
        let largest = self.0.last_key_value().map_or(0, |(&label, _)| label);
        let mut uses: BTreeMap<String, u64> = BTreeMap::new();
        let best = |known: &Known| {
            let agreed = known.hint.clone().filter(|_| !known.vague);
            known.said.clone().or(agreed)
        };
        for known in self.0.values() {
            *uses.entry(best(known).unwrap_or_default()).or_default() += 1;
        }
        let resolved = self.0.into_iter().map(|(label, mut known)| {
            let synset = best(&known)
                // A hint at the same synset as another label's is none.
                .filter(|synset| known.said.is_some() || uses[synset] == 1)
                .unwrap_or_else(|| numbered(label, largest));
            if let Some(text) = known.words.take() {
                words.entry(synset.clone()).or_insert(text);
            }
            (label, synset)
        });
        resolved.collect()
    }
}

/// The synset in an image's path, `n01440764/n01440764_10026.JPEG`: before the name, or its folder.
fn hint(path: &str) -> Option<&str> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = folders.rsplit('/').next().unwrap_or_default();
    let before = name.split_once('_').map_or("", |(before, _)| before);
    [before, folder].into_iter().find(|text| is_wnid(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(samples: &[(i64, Option<&str>, &str)]) -> Result<Vec<String>, String> {
        let mut synsets = Synsets::default();
        for (label, synset, path) in samples {
            synsets.add(*label, *synset, None, path)?;
        }
        Ok(synsets
            .resolve(&mut BTreeMap::new())
            .into_values()
            .collect())
    }

    #[test]
    fn a_synset_is_what_samples_say_or_their_names_agree_upon_or_the_number() {
        let found = resolve(&[
            (0, Some("n00000009"), "n00000001_1.jpg"),
            (1, None, "n00000002_1.jpg"),
            (1, None, "ILSVRC2012_val_00000001.jpg"),
            (2, None, "n00000003_1.jpg"),
            (2, None, "n00000004_1.jpg"),
            (3, None, "a.jpg"),
            (4, None, "x/n00000005/b.jpg"),
        ]);
        let expected = ["n00000009", "n00000002", "0002", "0003", "n00000005"];
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn a_synset_that_two_names_hint_at_is_none() {
        let found = resolve(&[(0, None, "n00000002_1.jpg"), (1, None, "n00000002_2.jpg")]);
        assert_eq!(found.unwrap(), ["0000", "0001"]);
    }

    #[test]
    fn a_label_of_two_synsets_is_an_error() {
        let error = resolve(&[(5, Some("a"), "x.jpg"), (5, Some("b"), "y.jpg")]).unwrap_err();
        assert_eq!(error, "label 5 is synset \"b\" here, but \"a\" before");
    }
}
