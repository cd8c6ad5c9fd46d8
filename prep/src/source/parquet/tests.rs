//! Names of classes.

use super::*;

#[test]
fn names_of_the_ilsvrc_become_its_synsets_and_others_their_own() {
    let table = names::ilsvrc();
    let mut names: Vec<String> = table.iter().map(|(_, words)| (*words).to_owned()).collect();
    names[1] = "Goldfish".to_owned();
    names[517] = "crane2".to_owned();
    let mut words = BTreeMap::new();
    let found = synsets(&names, &mut words);
    assert!(
        found
            .values()
            .map(String::as_str)
            .eq(table.iter().map(|(synset, _)| *synset))
    );
    assert!(words.is_empty());
    names.swap(0, 999);
    names.rotate_left(1);
    let found = synsets(&names, &mut words);
    assert_eq!(found[&0], "Goldfish");
    let found = synsets(&["a/b".to_owned(), "..".to_owned()], &mut words);
    assert_eq!(found.into_values().collect::<Vec<_>>(), ["a_b", "0001"]);
    assert_eq!(words["a_b"], "a/b");
}
