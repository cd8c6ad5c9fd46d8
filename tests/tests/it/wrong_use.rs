use std::fs;

use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, run, write_tree};

/// The program must refuse with one message that holds `word`.
fn says(program: Program, arguments: &[&str], word: &str) {
    let (code, stdout, stderr) = run(program, arguments);
    assert!(
        code.is_some_and(|code| code != 0),
        "{arguments:?} ended well: {stdout}"
    );
    assert!(
        stderr.contains(word),
        "{arguments:?} said {stderr:?}, not {word:?}"
    );
    assert!(
        stderr.contains("error: ") && !stderr.contains("panicked"),
        "{stderr}"
    );
}

#[test]
fn prep_refuses_kindly_and_leaves_nothing_behind() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    for name in ["empty", "hollow/train/a", "words/a", "full"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    fs::write(path("words/a/x.jpg"), b"words").unwrap();
    fs::write(path("full/x"), b"x").unwrap();
    write_tree(&work.path().join("tree"));
    let tree = path("tree");
    let out = path("out");
    says(
        Program::Prep,
        &["ingest", &path("nowhere"), "--out", &out],
        "not a folder",
    );
    says(
        Program::Prep,
        &["ingest", &path("empty"), "--out", &out],
        "no class folders",
    );
    says(
        Program::Prep,
        &["ingest", &path("hollow"), "--out", &out],
        "holds a file",
    );
    says(
        Program::Prep,
        &["ingest", &path("words"), "--out", &out],
        "none of the 1 images",
    );
    says(
        Program::Prep,
        &["ingest", &tree, "--out", &path("full")],
        "not empty",
    );
    says(
        Program::Prep,
        &["ingest", &tree, "--out", &out, "--codec", "gif"],
        "raw, zstd or jpeg",
    );
    says(
        Program::Prep,
        &["ingest", &tree, "--out", &out, "--quality", "0"],
        "1 to 100",
    );
    says(
        Program::Prep,
        &["ingest", &tree, "--out", &out, "--size", "0"],
        "1 to 8192",
    );
    says(
        Program::Prep,
        &["ingest", &tree, "--out", &out, "--val-fraction", "0.5"],
        "split of its own",
    );
    says(
        Program::Prep,
        &["ingest", &tree, "--out", &out, "--val-fraction", "2"],
        "below 1",
    );
    says(Program::Prep, &["ingest", &tree], "--out");
    says(Program::Prep, &["verify", &path("empty")], "prep ingest");
    says(Program::Prep, &["inspect", &path("nowhere")], "prep ingest");
    fs::create_dir_all(path("tree/val/n99999999")).unwrap();
    says(
        Program::Prep,
        &["ingest", &tree, "--out", &out],
        "n99999999",
    );
    assert!(
        !work.path().join("out").exists(),
        "something was left behind"
    );
    assert_eq!(fs::read_dir(path("full")).unwrap().count(), 1);
}

#[test]
fn loader_and_train_refuse_kindly_and_leave_nothing_behind() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    write_tree(&work.path().join("tree"));
    let shards = path("shards");
    let options = IngestOptions::new(path("tree"), &shards);
    ingest(&options).unwrap();
    let run_folder = path("run");
    says(
        Program::Loader,
        &["bench", "--shards", &path("nowhere")],
        "prep ingest",
    );
    says(
        Program::Loader,
        &["bench", "--shards", &shards, "--split", "test"],
        "\"train\", \"val\"",
    );
    says(
        Program::Loader,
        &["bench", "--shards", &shards, "--batch-size", "0"],
        "at least 1",
    );
    says(
        Program::Loader,
        &["bench", "--shards", &shards, "--crop", "257"],
        "choose 1 to 256",
    );
    for (option, value, advice) in [
        ("--policy", "random", "random-resized-crop"),
        ("--color-jitter", "0.4,0.4", "four numbers"),
        (
            "--color-jitter",
            "0.4,0.4,0.4,0.6",
            "at most 0.5 for the hue",
        ),
        ("--color-jitter", "-1,0,0,0", "0 or more"),
        ("--color-jitter", "1,nan,0,0", "0 or more"),
        ("--color-jitter", "half", "invalid value"),
    ] {
        let option = format!("{option}={value}");
        says(
            Program::Loader,
            &["bench", "--shards", &shards, &option],
            advice,
        );
    }
    let jitter = "--color-jitter=0.4,0.4,0.4,0.1";
    says(
        Program::Loader,
        &[
            "bench",
            "--shards",
            &shards,
            "--policy",
            "train,ten-view",
            jitter,
        ],
        "`--policy ten-view` draws nothing at random",
    );
    says(
        Program::Train,
        &["--shards", &path("nowhere"), "--out", &run_folder],
        "prep ingest",
    );
    says(
        Program::Train,
        &["--shards", &shards, "--out", &run_folder, "--crop", "300"],
        "crop",
    );
    says(
        Program::Train,
        &[
            "--shards",
            &shards,
            "--out",
            &run_folder,
            "--device",
            "cuda",
        ],
        "cpu",
    );
    says(
        Program::Train,
        &["--shards", &shards, "--out", &run_folder, "--lr", "0"],
        "learning rate",
    );
    says(
        Program::Train,
        &["--shards", &shards, "--out", &path("tree")],
        "not empty",
    );
    says(
        Program::Train,
        &["--shards", &shards, "--out", &run_folder, "--resume"],
        "resume",
    );
    says(
        Program::Train,
        &[
            "eval",
            "--shards",
            &shards,
            "--checkpoint",
            &path("nowhere"),
        ],
        "nowhere",
    );
    says(
        Program::Train,
        &[
            "eval",
            "--shards",
            &shards,
            "--checkpoint",
            &path("shards/manifest.json"),
        ],
        "manifest.json",
    );
    says(
        Program::Train,
        &["demo", "--out", &path("tree")],
        "not empty",
    );
    says(Program::Train, &["--lr", "0.1"], "--shards");
    assert!(
        !work.path().join("run").exists(),
        "something was left behind"
    );
}
