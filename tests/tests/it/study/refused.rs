use std::fs;

use crate::study::{TINY, done, message, results, shards as dataset, study};

#[test]
fn what_makes_no_sense_is_refused_in_words_and_results_of_other_settings_are_never_mixed() {
    let work = tempfile::tempdir().unwrap();
    let shards = dataset(work.path(), "shards", 72);
    let out = work.path().join("out");
    let begun = format!("{TINY} --seeds 1").replacen("--seeds 2 ", "", 1);
    done(study("dropout", &shards, &out, &begun));
    let before = results(&out.join("results"));
    for (name, more, words) in [
        ("dropuot", "", "there is no study dropuot"),
        (
            "dropout",
            "--arms without,wiht",
            "dropout has no arm wiht; its arms are with, without",
        ),
        (
            "dropout",
            "--epochs 3",
            "recipe.epochs is 2 there and 3 here",
        ),
        (
            "dropout",
            "--width 0.1",
            "model.width is 0.05 there and 0.1 here",
        ),
        (
            "dropout",
            "--set batch_size=4",
            "recipe.batch_size is 8 there and 4 here",
        ),
        ("lrn", "--seeds 1", "study is dropout there and lrn here"),
        ("dropout", "--checkpoint x", "belongs to study ensemble"),
        ("dropout", "--seeds 0", "`--seeds` must be at least 1"),
        ("dropout", "--set nonsense=1", "there is no key nonsense"),
    ] {
        let text = message(study(name, &shards, &out, more));
        assert!(text.contains(words), "{more}: {text}");
    }
    let other = dataset(work.path(), "other", 80);
    let text = message(study("dropout", &other, &out, ""));
    assert!(text.contains("dataset.record"), "{text}");
    assert!(results(&out.join("results")) == before);

    let text = message(study(
        "lrn",
        &shards,
        &work.path().join("new"),
        "--minutes 0.001 --width 0.05 --crop 64",
    ));
    assert!(text.contains("give more `--minutes`"), "{text}");

    // A result that is damaged, and one of another study under this one's name.
    let result = out.join("results/without-1.json");
    let stored = fs::read_to_string(&result).unwrap();
    fs::write(&result, &stored[..stored.len() / 2]).unwrap();
    let text = message(study("dropout", &shards, &out, ""));
    assert!(
        text.contains("without-1.json") && text.contains("delete it"),
        "{text}"
    );
    fs::write(&result, stored.replacen("\"seed\": 1", "\"seed\": 7", 1)).unwrap();
    let text = message(study("dropout", &shards, &out, ""));
    assert!(text.contains("seed is 7 there and 1 here"), "{text}");
    fs::remove_file(&result).unwrap();
    // Its run is whole, so nothing is trained again, and the result is the same.
    done(study("dropout", &shards, &out, ""));
    assert!(results(&out.join("results")) == before);

    // A folder that no run has made stays as it is.
    fs::remove_file(&result).unwrap();
    fs::remove_dir_all(out.join("without-1")).unwrap();
    fs::create_dir(out.join("without-1")).unwrap();
    fs::write(out.join("without-1/thesis.txt"), "mine").unwrap();
    let text = message(study("dropout", &shards, &out, ""));
    assert!(text.contains("thesis.txt"), "{text}");
    assert_eq!(
        fs::read_to_string(out.join("without-1/thesis.txt")).unwrap(),
        "mine"
    );
}
