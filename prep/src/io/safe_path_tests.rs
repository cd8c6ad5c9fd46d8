use std::path::Component;

use proptest::prelude::*;

use super::*;

#[test]
fn ordinary_names_stay() {
    for name in [
        "n01440764",
        "great white shark",
        "tench, Tinca tinca",
        "é.ß…",
        "a.b.jpg",
        "COM10",
        "console",
    ] {
        assert_eq!(component(name), name);
    }
}

#[test]
fn hostile_names_become_harmless() {
    for (text, name) in [
        ("", "_"),
        (".", "_"),
        ("..", "__"),
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:", "C_"),
        ("C:\\Windows", "C__Windows"),
        ("a\0b\nc", "a_b_c"),
        (".git", "_git"),
        ("name. .", "name___"),
        ("   ", "___"),
        ("NUL", "_NUL"),
        ("nul.txt", "_nul.txt"),
        ("Com1.jpg", "_Com1.jpg"),
        ("aux .jpg", "_aux .jpg"),
        ("LPT¹", "_LPT¹"),
        ("file:stream", "file_stream"),
    ] {
        assert_eq!(component(text), name, "{text:?}");
    }
    assert_eq!(component(&"é".repeat(300)).len(), NAME_LIMIT);
}

#[test]
fn names_that_are_not_safe_make_no_file() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("out");
    let mut tree = Tree::begin(&root).unwrap();
    for parts in [
        &[][..],
        &[".."],
        &["..", "x"],
        &["/etc", "x"],
        &["a/b"],
        &["a\\b"],
        &["C:x"],
        &["a", ""],
    ] {
        assert!(
            matches!(tree.file(parts), Err(PrepError::NotInside(_))),
            "{parts:?}"
        );
    }
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
}

#[test]
fn what_was_made_is_taken_away_unless_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("out");
    let mut tree = Tree::begin(&root).unwrap();
    tree.file(&["a", "b", "c"]).unwrap();
    let (part, file) = tree.file(&["a", "d.part"]).unwrap();
    tree.rename(&part, &file, "d").unwrap();
    assert!(
        tree.file(&["a", "d"]).is_err(),
        "a file is never overwritten"
    );
    let foreign = root.join("a").join("foreign");
    fs::write(&foreign, "kept").unwrap();
    drop(tree);
    assert!(foreign.exists());
    assert_eq!(fs::read_dir(root.join("a")).unwrap().count(), 1);
}

#[test]
fn what_was_committed_stays_and_leftovers_are_replaced() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("out");
    let mut tree = Tree::begin(&root).unwrap();
    tree.file(&["a", "whole"]).unwrap();
    tree.commit();
    drop(tree);
    fs::write(root.join("a").join("half"), "half").unwrap();
    let mut tree = Tree::begin(&root).unwrap();
    tree.file(&["a", "half"]).unwrap();
    assert!(
        tree.file(&["a", "half"]).is_err(),
        "a file of this run is never overwritten"
    );
    assert_eq!(fs::read(root.join("a").join("half")).unwrap(), b"");
    drop(tree);
    assert!(root.join("a").join("whole").exists());
    assert!(!root.join("a").join("half").exists());
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let scratch = tempfile::tempdir().unwrap();
    let (root, outside) = (scratch.path().join("out"), scratch.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("target"), "as it was").unwrap();
    let mut tree = Tree::begin(&root).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("train")).unwrap();
    std::os::unix::fs::symlink(outside.join("target"), root.join("x.jpg")).unwrap();
    std::os::unix::fs::symlink(outside.join("new"), root.join("y.jpg")).unwrap();
    assert!(matches!(
        tree.file(&["train", "x.jpg"]),
        Err(PrepError::NotInside(_))
    ));
    assert!(tree.file(&["x.jpg"]).is_err());
    assert!(tree.file(&["y.jpg"]).is_err());
    let (part, file) = tree.file(&["z.part"]).unwrap();
    assert!(matches!(
        tree.rename(&part, &file, "x.jpg"),
        Err(PrepError::Exists(_))
    ));
    drop(tree);
    assert_eq!(fs::read(outside.join("target")).unwrap(), b"as it was");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn any_text_becomes_one_name_that_stays(text in any::<String>()) {
        let name = component(&text);
        prop_assert!(is_safe(&name), "{text:?} became {name:?}");
        prop_assert!(name.len() <= NAME_LIMIT + 1);
        prop_assert_eq!(component(&name), name.clone());
        let parts: Vec<Component<'_>> = Path::new(&name).components().collect();
        prop_assert_eq!(parts, [Component::Normal(name.as_ref())]);
    }

    #[test]
    fn nasty_letters_too(text in "[./\\\\: \0\u{7f}cCoOnN1-9lptLPTuxA$¹]{0,12}") {
        prop_assert!(is_safe(&component(&text)), "{text:?}");
    }
}
