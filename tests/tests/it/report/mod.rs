//! `train report`: pages about runs of every kind, as a user asks for them.
//!
//! `SHARDMILL_REPORT_PAGES` names a folder in which the pages are kept, for `just report-browser`.

mod damaged;
mod kit;

use std::fs;

use serde_json::Value;
use shardmill_tests::write_small;

use kit::{FLAGS, Pages};

const CLASSES: [&str; 7] = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu"];

const SECTIONS: [&str; 14] = [
    "dataset",
    "recipe",
    "curves",
    "network",
    "errors",
    "kernels",
    "growth",
    "guesses",
    "neighbours",
    "map",
    "views",
    "filters",
    "occlusion",
    "patches",
];

#[test]
fn a_whole_run_has_every_figure() {
    let work = Pages::new();
    work.dataset(&CLASSES, &[("train", 4), ("val", 3)]);
    work.train("--epochs 2 --final-views center");
    let report = work.report("whole", "");
    assert_eq!(report.sections(), SECTIONS);
    assert_eq!(report.missing(), "");
    for (id, figures) in [
        ("dataset", 2),
        ("curves", 6),
        ("errors", 2),
        ("kernels", 1),
        ("growth", 1),
        ("neighbours", 1),
        ("map", 1),
        ("occlusion", 1),
        ("patches", 1),
    ] {
        assert_eq!(report.figures(id), figures, "{id}");
    }
    assert!(report.photographs() > 40, "{}", report.photographs());
    report.expect(&[
        "It is finished: 2 of 2 epochs.",
        "column 1: kernels 1 to 4",
        "column 2: kernels 5 to 8",
        "model.width",
        "37.5",
        "the paper: ILSVRC-2010",
    ]);
    // What the page measures is what `train eval` measures.
    let line = "eval --checkpoint @run/best.safetensors --shards @shards --json";
    let eval: Value = serde_json::from_str(&work.say(line)).unwrap();
    let figures = &report.json["figures"];
    for view in ["center", "ten"] {
        for field in ["top1_error", "top5_error", "samples"] {
            assert_eq!(figures[view][field], eval[view][field], "{view} {field}");
        }
        let loss = |of: &Value| of[view]["loss"].as_f64().unwrap();
        assert!((loss(figures) - loss(&eval)).abs() < 1e-9);
    }

    // Without photographs, the rest stays.
    let plain = work.report("no-images", "--no-images");
    assert_eq!(plain.photographs(), 0);
    assert_eq!(plain.figures("kernels"), 1);
    assert_eq!(plain.figures("curves"), 6);
    assert_eq!(plain.missing().matches("--no-images").count(), 6);

    // A dataset that has moved is missed in words, and found where it is said to be.
    fs::rename(work.path("shards"), work.path("moved")).unwrap();
    let (_, _, stderr) = work.run("report @run --out @said.html --json");
    assert!(
        stderr.contains("note: the page has no images of the dataset")
            && stderr.contains("`--shards DIR`"),
        "{stderr}"
    );
    let without = work.report("moved", "");
    assert!(
        without
            .missing()
            .contains("give its folder as `--shards DIR`"),
        "{}",
        without.missing()
    );
    assert_eq!((without.photographs(), without.figures("kernels")), (0, 1));
    let found = work.report("found", "--shards @moved");
    assert_eq!(
        (found.missing(), found.photographs()),
        (String::new(), report.photographs())
    );

    // So are the checkpoints; the curves need none.
    for name in ["best", "last"] {
        fs::remove_file(work.path(&format!("run/{name}.safetensors"))).unwrap();
    }
    let log = work.report("no-checkpoint", "--shards @moved");
    assert!(
        log.missing()
            .contains("neither best.safetensors nor last.safetensors")
    );
    assert_eq!(
        (
            log.figures("curves"),
            log.figures("dataset"),
            log.figures("kernels")
        ),
        (6, 2, 0)
    );

    // A log that is cut in its last line.
    let metrics = work.path("run/metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    fs::write(&metrics, &text[..text.len() - 20]).unwrap();
    work.report("cut", "").expect(&["last line has no end"]);
    // And one that has lost its first, too.
    fs::write(
        &metrics,
        &text[text.find('\n').unwrap() + 1..text.len() - 20],
    )
    .unwrap();
    let headless = work.report("headless", "");
    assert!(
        headless
            .missing()
            .contains("the log has lost its first line")
    );
}

#[test]
fn a_run_of_one_epoch_without_a_validation_split_has_a_page() {
    let work = Pages::new();
    work.dataset(&CLASSES[..3], &[("train", 6)]);
    work.train("--epochs 1");
    let report = work.report("no-validation", "");
    assert!(
        report.missing().contains("no validation split"),
        "{}",
        report.missing()
    );
    assert_eq!(
        (report.figures("curves"), report.figures("kernels")),
        (6, 1)
    );
    report.expect(&["no evaluation so far", "no validation split"]);
    assert!(!report.missing().contains("--split test"));
    // The images that were trained on can be judged, and no image is its own neighbour.
    let judged = work.report("of-train", "--split train");
    assert_eq!(judged.sections()[4], "errors");
    judged.expect(&["of the 17 training images", "means nothing"]);
}

#[test]
fn a_run_without_a_validation_split_can_be_judged_on_another_one() {
    let work = Pages::new();
    work.dataset(&CLASSES[..3], &[("train", 4), ("test", 2)]);
    work.train("--epochs 1");
    let report = work.report("no-validation-but-test", "");
    assert!(
        report.missing().contains("`--split test` judges images"),
        "{}",
        report.missing()
    );
    let judged = work.report("of-test", "--split test");
    judged.expect(&["of split test", "guessing: always the most frequent class"]);
}

#[test]
fn a_run_that_was_interrupted_in_its_first_epoch_has_a_page() {
    let work = Pages::new();
    work.dataset(&CLASSES, &[("train", 4), ("val", 1)]);
    work.train("--epochs 3 --max-steps 1");
    let report = work.report("first-epoch", "");
    report.expect(&["interrupted in its first epoch", "no evaluation so far"]);
    assert!(report.missing().contains("no epoch was finished"));
    assert_eq!(report.figures("curves"), 4);
    // Not even a line of steps: only the first line of the log.
    let metrics = work.path("run/metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    fs::write(&metrics, &text[..=text.find('\n').unwrap()]).unwrap();
    let nothing = work.report("no-step", "");
    assert!(nothing.missing().contains("the log holds no step yet"));
    assert_eq!(nothing.figures("curves"), 0);
}

#[test]
fn a_thousand_classes_fit_a_page() {
    let work = Pages::new();
    let names: Vec<String> = (0..1000).map(|number| format!("n{number:08}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    write_small(&work.path("tree"), &names, &[("train", 1)]);
    write_small(&work.path("tree"), &names[..40], &[("val", 1)]);
    work.ingest("tree", "shards");
    work.train("--epochs 1 --max-steps 2");
    let report = work.report("thousand", "");
    assert_eq!(report.figures("errors"), 4);
    report.expect(&[
        "n00000999",
        "Classes without an image in this split: 960.",
        "All 1000 classes",
    ]);
}

#[test]
fn every_kind_of_network_has_a_page() {
    let work = Pages::new();
    work.dataset(&CLASSES[..3], &[("train", 2), ("val", 2)]);
    for (name, flags, words) in [
        ("owt", "--variant alexnet-owt", "the only column"),
        ("one-column", "--one-column", "the only column"),
        (
            "tanh",
            "--activation tanh --remove-conv 4",
            "model.removed_conv",
        ),
    ] {
        let line = format!("--shards @shards --out @{name} {FLAGS} --epochs 1 {flags}");
        work.say(&line);
        fs::rename(work.path(name), work.path("run")).unwrap();
        work.report(name, "").expect(&[words]);
        fs::remove_dir_all(work.path("run")).unwrap();
    }
}

#[test]
fn names_from_anywhere_are_text() {
    let work = Pages::new();
    work.dataset(&CLASSES[..3], &[("train", 2), ("val", 2)]);
    let path = work.path("shards/manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let hostile = "\"><script>alert('x')</script>&amp;$x$\u{1b}[2J\u{202e}\n".to_owned();
    for class in 0..3 {
        let name = hostile.clone() + &"long ".repeat(2000) + &class.to_string();
        manifest["classes"][class]["name"] = name.into();
    }
    fs::write(&path, manifest.to_string()).unwrap();
    work.train("--epochs 1");
    let report = work.report("hostile", "");
    report.expect(&["&lt;script&gt;"]);
    for letter in ['\u{1b}', '\u{202e}'] {
        assert!(!report.html.contains(letter));
    }
    assert!(report.html.len() < 1_000_000, "{}", report.html.len());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let work = Pages::new();
    work.dataset(&CLASSES[..3], &[("train", 2), ("val", 1)]);
    work.train("--epochs 1");
    write_small(&work.path("other-tree"), &["x", "y"], &[("train", 2)]);
    work.ingest("other-tree", "other");
    for (flags, words) in [
        ("@none", "name the folder that `train --out` made"),
        (
            "@run --shards @other",
            "it has \"x\" where the checkpoint has \"ant\"",
        ),
        ("@run --shards @tree", "tree"),
        ("@run --split test", "has no split \"test\""),
        ("@run --checkpoint @none.safetensors", "none.safetensors"),
    ] {
        let error = work.refuse(&format!("report {flags} --out @page.html"), 1);
        assert!(error.contains(words), "{flags}: {error}");
        assert!(!work.path("page.html").exists());
    }
    // Another run's checkpoint.
    work.say(&format!(
        "--shards @shards --out @second --seed 2 {FLAGS} --epochs 1"
    ));
    let line = "report @run --checkpoint @second/last.safetensors --out @page.html";
    assert!(work.refuse(line, 1).contains("no checkpoint of this run"));
    // A page that exists stays as it is.
    fs::write(work.path("page.html"), "<!DOCTYPE html>mine").unwrap();
    assert!(
        work.refuse("report @run --out @page.html", 1)
            .contains("--force")
    );
    assert_eq!(
        fs::read(work.path("page.html")).unwrap(),
        b"<!DOCTYPE html>mine"
    );
    let said = work.say("report @run --out @page.html --force");
    assert!(said.contains("page.html ("), "{said}");
    assert!(fs::read(work.path("page.html")).unwrap().len() > 10_000);

    // The same classes with other images are another dataset, which the page says.
    write_small(
        &work.path("more"),
        &CLASSES[..3],
        &[("train", 3), ("val", 1)],
    );
    work.ingest("more", "more-shards");
    work.report("other-images", "--shards @more-shards")
        .expect(&["This is not the dataset that was trained on"]);
}
