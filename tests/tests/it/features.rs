//! `train features` and `train neighbours`, as a user asks for them: whole files, wrong input, interruptions.

use std::fs;

use serde_json::Value;
use shardmill_tests::{Work, write_small};

const CLASSES: [&str; 2] = ["cats", "dogs"];

/// Shards with three splits' images, shards of other classes, and a network that has seen a step.
fn work() -> Work {
    let work = Work::new();
    for (name, classes) in [("tree", CLASSES), ("other", ["birds", "cats"])] {
        write_small(&work.path(name), &classes, &[("train", 4), ("val", 2)]);
        work.ingest(name, &format!("{name}-shards"));
    }
    work.say(
        "--shards @tree-shards --out @run --width 0.05 --crop 64 --batch-size 4 --lr 0.001 \
         --max-steps 1",
    );
    work
}

const FEATURES: &str = "features --checkpoint @run/last.safetensors --shards @tree-shards";

#[test]
fn features_of_two_splits_give_the_neighbours_that_the_checkpoint_gives() {
    let work = work();
    let text = work.say(&format!("{FEATURES} --out @val.safetensors"));
    for words in [
        "fc7 of 4 images of split val",
        "208 values each",
        "val.safetensors",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = work.say(&format!(
        "{FEATURES} --out @train.safetensors --split train --json"
    ));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["images"], 8);
    assert_eq!(json["features"], 208);
    let bytes = fs::metadata(work.path("train.safetensors")).unwrap().len();
    assert_eq!(json["bytes"], bytes);

    let files = "neighbours --query-features @val.safetensors --base-features @train.safetensors";
    let own = "neighbours --checkpoint @run/last.safetensors --shards @tree-shards";
    let [of_files, of_network] = [files, own].map(|line| {
        let text = work.say(&format!("{line} --count 3 --json"));
        serde_json::from_str::<Value>(&text).unwrap()
    });
    assert_eq!(of_files, of_network);
    assert_eq!(of_files["agreement"]["counts"], serde_json::json!([1, 3]));
    assert_eq!(of_files["agreement"]["chance"], 0.5);
    assert_eq!(of_files["same"], false);
    let text = work.say(files);
    for words in [
        "4 images of split val",
        "8 of split train",
        "5 nearest",
        "50.00%  cats",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Three others of its class among seven others.
    let text = work.say(&format!("{own} --split train"));
    assert!(
        text.contains("the 7 others of it") && text.contains("42.86%"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let work = work();
    let with = |line: &str| line.replace("FEATURES", FEATURES);
    fs::write(work.path("mine"), "mine").unwrap();
    fs::write(work.path("theirs.partial"), "theirs").unwrap();
    for (line, words) in [
        (
            "features --checkpoint @none --shards @tree-shards --out @new",
            "no checkpoint",
        ),
        (
            "features --checkpoint @run/last.safetensors --shards @none --split val --out @new",
            "prep ingest",
        ),
        (
            "features --checkpoint @run/last.safetensors --shards @other-shards --out @new",
            "are not those of the checkpoint",
        ),
        ("FEATURES --out @new --split dev", "has no split"),
        (
            "FEATURES --out @new --layer fc9",
            "it has conv1, norm1, pool1",
        ),
        ("FEATURES --out @none/new", "cannot write"),
        ("FEATURES --out @mine", "replace it with `--force`"),
        ("FEATURES --out @theirs", "unfinished file of another"),
        ("FEATURES --out @new --precision f32", "`--device cuda`"),
        ("FEATURES --out @new --device cuda", "--device cpu"),
        (
            "neighbours --query-features @none --base-features @mine",
            "cannot read",
        ),
        (
            "neighbours --query-features @mine --base-features @mine",
            "not a whole file of features",
        ),
        (
            "neighbours --query-features @mine --base-features @mine --device cuda",
            "found on the CPU",
        ),
        (
            "neighbours --checkpoint @run/last.safetensors --shards @tree-shards --base dev",
            "has no split",
        ),
    ] {
        let text = work.refuse(&with(line), 1);
        assert!(text.contains(words), "{line}: {text}");
    }
    for line in [
        "neighbours --shards @tree-shards",
        "neighbours --checkpoint @run/last.safetensors",
        "neighbours --query-features @mine",
        "neighbours --query-features @mine --base-features @mine --layer fc6",
        "neighbours --query-features @mine --base-features @mine --threads 2",
        "neighbours --checkpoint @run/last.safetensors --shards @tree-shards --count 0",
        "FEATURES",
    ] {
        work.refuse(&with(line), 2);
    }
    assert_eq!(fs::read(work.path("mine")).unwrap(), b"mine");
    assert_eq!(fs::read(work.path("theirs.partial")).unwrap(), b"theirs");
    let left = fs::read_dir(work.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().contains("new"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    // Through a link, the file of another would be emptied.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(work.path("mine"), work.path("linked.partial")).unwrap();
        for force in ["", " --force"] {
            let text = work.refuse(&format!("{FEATURES} --out @linked{force}"), 1);
            assert!(text.contains("is a link or a folder"), "{text}");
        }
        assert_eq!(fs::read(work.path("mine")).unwrap(), b"mine");
    }

    // Of two layers, and of two networks.
    work.say(&format!("{FEATURES} --out @a"));
    work.say(&format!("{FEATURES} --out @b --layer fc6"));
    work.say("--shards @tree-shards --out @run --resume --max-steps 2");
    work.say(&format!("{FEATURES} --out @mine --force"));
    for (base, words) in [("b", "of fc7 and of fc6"), ("mine", "other weights")] {
        let line = format!("neighbours --query-features @a --base-features @{base}");
        let text = work.refuse(&line, 1);
        assert!(text.contains(words), "{text}");
    }
}
