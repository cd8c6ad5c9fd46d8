//! Labels that are not the numbers that the source gives its classes.

use std::collections::BTreeMap;

/// Most classes that are named.
const SHOWN: usize = 3;

/// Says that labels, which count the synsets in order, differ from the numbers that the source has for the
/// same classes. `synsets` are those of the source's numbers.
pub(super) fn note(
    synsets: &BTreeMap<i64, String>,
    words: &BTreeMap<String, String>,
) -> Option<String> {
    let mut sorted: Vec<&String> = synsets.values().collect();
    sorted.sort_unstable();
    let label = |synset: &String| sorted.partition_point(|known| *known < synset) as i64;
    let moved = synsets
        .iter()
        .map(|(&id, synset)| (id, label(synset), synset));
    let moved: Vec<_> = moved.filter(|(id, label, _)| id != label).collect();
    if moved.is_empty() {
        return None;
    }
    let shown = moved.iter().take(SHOWN).map(|(id, label, synset)| {
        let name = words.get(*synset).unwrap_or(synset);
        format!("{name:?} {id} -> {label}")
    });
    let shown: Vec<String> = shown.collect();
    let more = if moved.len() > SHOWN { ", ..." } else { "" };
    Some(format!(
        "labels count the classes by synset or name, and {} of {} classes have another number in the source: \
         {}{more}",
        moved.len(),
        synsets.len(),
        shown.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_labels_say_nothing_and_others_are_shown() {
        let synsets = |names: &[&str]| (0..).zip(names.iter().map(|&n| n.to_owned())).collect();
        let words = BTreeMap::from([("n9".to_owned(), "newt".to_owned())]);
        assert_eq!(note(&synsets(&["a", "b"]), &words), None);
        assert_eq!(note(&BTreeMap::new(), &words), None);
        let text = note(&synsets(&["n9", "n2", "n8", "n1", "p"]), &words).unwrap();
        assert!(
            text.ends_with(
                "2 of 5 classes have another number in the source: \"newt\" 0 -> 3, \"n1\" 3 -> 0"
            ),
            "{text}"
        );
    }
}
