//! Names of splits: one table for folders, files and columns of every layout.

/// The names of each split, in lower case.
const NAMES: [(&str, &[&str]); 3] = [
    ("train", &["train", "training", "trainset", "trn"]),
    (
        "val",
        &[
            "val",
            "valid",
            "validation",
            "validate",
            "valset",
            "dev",
            "devel",
            "development",
            "eval",
            "evaluation",
            "holdout",
        ],
    ),
    ("test", &["test", "testing", "testset", "tst"]),
];

/// The split that a whole name means: `Validation` is `val`, `val_256` is none.
pub(super) fn of_word(name: &str) -> Option<&'static str> {
    let name = name.trim().to_lowercase();
    let found = NAMES
        .iter()
        .find(|(_, names)| names.contains(&name.as_str()));
    found.map(|(split, _)| *split)
}

/// The split that a word of a name means, the first if there are several: `ILSVRC2012_img_val` is
/// `val`, but `latest-0` is none, since letters inside of a word say nothing.
pub(super) fn of_name(name: &str) -> Option<&'static str> {
    name.split(|c: char| !c.is_alphabetic()).find_map(of_word)
}

/// The split that a folder stands for: by its whole name, or by a word of it that means nothing else. A
/// `dev kit` is no split.
pub(super) fn of_folder(name: &str) -> Option<&'static str> {
    const PLAIN: [&str; 7] = [
        "train",
        "training",
        "val",
        "valid",
        "validation",
        "test",
        "testing",
    ];
    let mut words = name.split(|c: char| !c.is_alphabetic());
    let plain = words.find(|word| PLAIN.contains(&word.to_lowercase().as_str()));
    of_word(name).or_else(|| plain.and_then(of_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_a_word_of_a_name_and_not_letters_inside_of_one() {
        for (name, split) in [
            ("train-00000-of-00294.parquet", Some("train")),
            ("imagenet1k-validation-03.tar", Some("val")),
            ("ILSVRC2012_VAL_3.tgz", Some("val")),
            ("ILSVRC2012_img_test_v10102019.tar", Some("test")),
            ("latest-train-0.tar", Some("train")),
            ("train2017", Some("train")),
            ("latest-0.tar", None),
            ("imagenetval.0.tar", None),
            ("contest", None),
            ("shard-000000.tar", None),
        ] {
            assert_eq!(of_name(name), split, "{name}");
        }
        for (name, split) in [
            ("Train", Some("train")),
            ("training", Some("train")),
            ("DEV", Some("val")),
            ("validation", Some("val")),
            ("testing", Some("test")),
            ("val_256", None),
            ("", None),
        ] {
            assert_eq!(of_word(name), split, "{name}");
        }
        for (name, split) in [
            ("dev", Some("val")),
            ("dev kit", None),
            ("ILSVRC2012_img_val", Some("val")),
            ("train_256", Some("train")),
            ("contest", None),
        ] {
            assert_eq!(of_folder(name), split, "{name}");
        }
    }
}
