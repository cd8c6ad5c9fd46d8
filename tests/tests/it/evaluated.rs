//! `train` and `train eval`: views, splits, and datasets with some of the classes, as a user asks for them.

use std::fs;
use std::ops::Deref;
use std::path::Path;

use serde_json::Value;
use shardmill_tests::{SMALL_SIDE, Work, photo, write_small};

const CLASSES: [&str; 3] = ["n01440764", "n02102040", "n03028079"];

const FLAGS: &str = "--width 0.05 --crop 64 --batch-size 4 --lr 0.001";

/// A folder in which a network is trained.
struct Trained(Work);

impl Deref for Trained {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.0
    }
}

impl Trained {
    fn new() -> Self {
        Self(Work::new())
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.say(line)).unwrap()
    }

    /// A network that has seen a few steps, in `run/last.safetensors`.
    fn trained(&self, splits: &[(&str, u32)]) {
        write_small(&self.path("tree"), &CLASSES, splits);
        self.ingest("tree", "tree-shards");
        self.say(&format!(
            "--shards @tree-shards --out @run --max-steps 5 {FLAGS}"
        ));
    }

    /// The probabilities of the classes, in the order of their labels, for an image file.
    fn probabilities(&self, image: &str, view: &str) -> Vec<f64> {
        let line = format!(
            "predict @{image} --checkpoint @run/last.safetensors --size {SMALL_SIDE} --json{view}"
        );
        let found = self.json(&line);
        let guesses = found["classes"].as_array().unwrap();
        let mut probabilities = vec![f64::NAN; CLASSES.len()];
        for guess in guesses {
            let label = guess["label"].as_u64().unwrap() as usize;
            probabilities[label] = guess["probability"].as_f64().unwrap();
        }
        probabilities
    }
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
}

/// Writes the image at `from`, mirrored.
fn mirror(from: &Path, to: &Path) {
    let image = image::open(from).unwrap().into_rgb8();
    let mirrored = image::imageops::flip_horizontal(&image);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    mirrored.save(to).unwrap();
}

#[test]
fn two_views_average_the_centre_and_its_reflection() {
    let work = Trained::new();
    work.trained(&[("train", 3)]);
    // A set of one image to evaluate, with all three classes in it.
    write_small(&work.path("one"), &CLASSES, &[("train", 1)]);
    let image = "one/val/n02102040/0.png";
    mirror(
        &work.path("one/train/n02102040/0.png"),
        &work.path("mirrored.png"),
    );
    fs::create_dir_all(work.path("one/val/n02102040")).unwrap();
    fs::rename(work.path("one/train/n02102040/0.png"), work.path(image)).unwrap();
    photo(SMALL_SIDE, SMALL_SIDE, 77)
        .save(work.path("one/train/n02102040/1.png"))
        .unwrap();
    work.ingest("one", "one-shards");

    let own = work.probabilities(image, "");
    let mirrored = work.probabilities("mirrored.png", "");
    assert!((own[1] - mirrored[1]).abs() > 1e-6, "{own:?} {mirrored:?}");
    let two = work.probabilities(image, " --two");
    for label in 0..CLASSES.len() {
        close(two[label], f64::midpoint(own[label], mirrored[label]));
    }
    let found = work
        .json("eval --checkpoint @run/last.safetensors --shards @one-shards --views all --json");
    let loss = |view: &str| found[view]["loss"].as_f64().unwrap();
    close(loss("center"), -own[1].ln());
    close(loss("two"), -two[1].ln());
    close(loss("ten"), -work.probabilities(image, " --ten")[1].ln());
    let text = work.say("eval --checkpoint @run/last.safetensors --shards @one-shards --views two");
    assert!(
        text.contains("two views") && !text.contains("centre view"),
        "{text}"
    );
}

#[test]
fn a_set_of_some_of_the_classes_is_scored_over_them_or_over_all() {
    let work = Trained::new();
    work.trained(&[("train", 3)]);
    write_small(
        &work.path("some"),
        &[CLASSES[0], CLASSES[2]],
        &[("train", 1), ("val", 2)],
    );
    work.ingest("some", "some-shards");
    write_small(
        &work.path("other"),
        &[CLASSES[0], "n99999999"],
        &[("train", 1), ("val", 1)],
    );
    work.ingest("other", "other-shards");

    let eval = "eval --checkpoint @run/last.safetensors --views center --shards";
    let hint = work.refuse(&format!("{eval} @some-shards"), 1);
    assert!(hint.contains("with `--subset-classes`"), "{hint}");
    let unknown = work.refuse(&format!("{eval} @other-shards --subset-classes"), 1);
    assert!(
        unknown.contains("1 of the 2 classes") && unknown.contains("n99999999"),
        "{unknown}"
    );
    work.refuse(&format!("{eval} @some-shards --softmax all"), 2);

    let images = [
        (0, "some/val/n01440764/0.png"),
        (0, "some/val/n01440764/1.png"),
        (2, "some/val/n03028079/0.png"),
        (2, "some/val/n03028079/1.png"),
    ];
    let (mut own, mut all) = (0.0, 0.0);
    for (label, image) in images {
        let p = work.probabilities(image, "");
        own -= (p[label] / (p[0] + p[2])).ln() / 4.0;
        all -= p[label].ln() / 4.0;
    }
    let scored = |more: &str| {
        work.json(&format!(
            "{eval} @some-shards --subset-classes --json{more}"
        ))
    };
    for (more, loss, classes, softmax) in [
        ("", own, 2, "subset"),
        (" --softmax subset", own, 2, "subset"),
        (" --softmax all", all, 3, "all"),
    ] {
        let found = scored(more);
        close(found["center"]["loss"].as_f64().unwrap(), loss);
        assert_eq!(found["classes"], classes);
        assert_eq!(
            found["subset"],
            serde_json::json!({"classes": 2, "of": 3, "softmax": softmax})
        );
    }
    let text = work.say(&format!("{eval} @some-shards --subset-classes"));
    for words in [
        "chance error 50.0%",
        "2 of the network's 3 classes, softmax over these",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn crops_jitter_and_the_split_to_validate_on_are_flags_and_keys() {
    let work = Trained::new();
    write_small(&work.path("tree"), &CLASSES, &[("train", 4), ("val", 1)]);
    work.ingest("tree", "tree-shards");
    let base = format!("--shards @tree-shards --max-steps 2 --epochs 1 {FLAGS}");
    let flags = work.say(&format!(
        "{base} --out @flags --cropping resized --set cropping.area=[0.5,1] --jitter 0.4,0.3,0.2,0.1 \
         --val-split train"
    ));
    for words in [
        "random resized crop (area 0.5 to 1, ratio 0.750 to 1.333), flip",
        "colour jitter (brightness 0.4, contrast 0.3, saturation 0.2, hue 0.1)",
        "validation on split train",
        "12 of split `train` for validation",
        "note: the split for validation is the one that is trained on",
    ] {
        // Lines are broken at 80 columns.
        let line = flags.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(line.contains(words), "{words}: {flags}");
    }
    let recipe = "val_split = \"train\"\n[cropping]\nkind = \"resized\"\narea = [0.5, 1]\n[jitter]\n\
                  brightness = 0.4\ncontrast = 0.3\nsaturation = 0.2\nhue = 0.1\n";
    fs::write(work.path("recipe.toml"), recipe).unwrap();
    work.say(&format!("{base} --out @keys --recipe @recipe.toml"));
    let bytes = |run: &str| fs::read(work.path(run).join("last.safetensors")).unwrap();
    assert!(bytes("flags") == bytes("keys"), "flags and keys differ");

    // A run is evaluated, and gone on with, as it was begun.
    work.say("--shards @tree-shards --out @keys --resume");
    let text = work.say("--shards @tree-shards --out @keys --eval-only");
    assert!(text.contains("split train,"), "{text}");
    let text = work.say("eval --checkpoint @keys/last.safetensors --shards @tree-shards");
    assert!(text.contains("split train,"), "{text}");
    let text = work.say("--shards @tree-shards --out @keys --eval-only --val-split val");
    assert!(text.contains("split val,"), "{text}");

    for (more, word) in [
        ("--val-split dev", "with labels: train, val"),
        ("--jitter 0.4,0.4", "takes four numbers"),
        ("--jitter 0,0,0,0.7", "jitter.hue is 0.7"),
        ("--cropping resized --mean image", "--mean channel"),
        (
            "--set cropping.area=[0.5,1]",
            "there is no key cropping.area",
        ),
        ("--val-split none", "no choice"),
    ] {
        let text = work.refuse(&format!("{base} --out @refused {more}"), 1);
        assert!(text.contains(word), "{more}: {text}");
    }
    assert!(!work.path("refused").exists());
    let text = work.refuse("--shards @tree-shards --crop fixed", 2);
    assert!(text.contains("`--cropping fixed`"), "{text}");
}
