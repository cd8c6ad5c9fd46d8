//! Repeated keys get a suffix, since every record has a key of its own.

use std::collections::HashSet;

use super::Entry;

/// Gives the second of equal keys `~2` before its extension, the third `~3`, in the order of `entries`; a
/// name that is there already is left out. The number of keys that were changed.
pub(super) fn tell_apart(entries: &mut [Entry]) -> u64 {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    // Equal keys stay in their order.
    order.sort_by(|&a, &b| entries[a].key.cmp(&entries[b].key));
    let (mut made, mut changed) = (HashSet::new(), Vec::new());
    for run in order.chunk_by(|&a, &b| entries[a].key == entries[b].key) {
        let mut number = 1_u64;
        for &at in &run[1..] {
            let key = loop {
                number += 1;
                let key = numbered(&entries[at].key, number);
                let there = order.binary_search_by(|&other| (*entries[other].key).cmp(&key));
                if there.is_err() && made.insert(key.clone()) {
                    break key;
                }
            };
            changed.push((at, key));
        }
    }
    let count = changed.len() as u64;
    for (at, key) in changed {
        entries[at].key = key.into();
    }
    count
}

/// `a/b.jpg` as `a/b~2.jpg`.
fn numbered(key: &str, number: u64) -> String {
    let name = key.rfind('/').map_or(0, |slash| slash + 1);
    match key[name..].rfind('.') {
        Some(dot) if dot > 0 => {
            let (stem, extension) = key.split_at(name + dot);
            format!("{stem}~{number}{extension}")
        }
        _ => format!("{key}~{number}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Place;
    use super::*;

    fn told_apart(keys: &[&str]) -> Vec<String> {
        let mut entries: Vec<Entry> = keys
            .iter()
            .map(|&key| Entry {
                label: 0,
                key: key.into(),
                place: Place::Key,
            })
            .collect();
        tell_apart(&mut entries);
        entries.into_iter().map(|entry| entry.key.into()).collect()
    }

    #[test]
    fn equal_keys_are_numbered_in_their_order_and_no_name_is_made_twice() {
        let keys = [
            "b.jpg", "a.jpg", "b.jpg", "b~2.jpg", "b.jpg", "b~2.jpg", ".x", ".x", "d.e/f", "d.e/f",
        ];
        let expected = [
            "b.jpg",
            "a.jpg",
            "b~3.jpg",
            "b~2.jpg",
            "b~4.jpg",
            "b~2~2.jpg",
            ".x",
            ".x~2",
            "d.e/f",
            "d.e/f~2",
        ];
        assert_eq!(told_apart(&keys), expected);
    }

    proptest! {
        #[test]
        fn every_key_is_another_and_first_ones_stay(keys in prop::collection::vec("[ab](~[23])?(\\.j)?", 0..40)) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let made = told_apart(&keys);
            let different: HashSet<&String> = made.iter().collect();
            prop_assert_eq!(different.len(), keys.len());
            for (at, key) in keys.iter().enumerate() {
                if !keys[..at].contains(key) {
                    prop_assert_eq!(*key, &made[at]);
                }
            }
        }
    }
}
