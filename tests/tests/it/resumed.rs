//! A run of the program that is stopped and resumed ends as one that never was.

use std::fs;
use std::path::Path;

use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, photo, run, write_tree};

/// A narrow network on small windows: a step takes a few milliseconds.
const FLAGS: &str = "--width 0.05 --crop 64 --batch-size 5 --lr 0.001 --epochs 2 --log-every 3";

fn train(shards: &Path, out: &Path, more: &[&str]) {
    let (shards, out) = (shards.to_str().unwrap(), out.to_str().unwrap());
    let mut arguments = vec!["--shards", shards, "--out", out];
    arguments.extend(FLAGS.split(' ').chain(more.iter().copied()));
    let (code, stdout, stderr) = run(Program::Train, &arguments);
    assert_eq!(code, Some(0), "{more:?}: {stdout}{stderr}");
}

#[test]
fn a_stopped_and_resumed_run_ends_with_the_same_bytes() {
    let work = tempfile::tempdir().unwrap();
    let tree = work.path().join("tree");
    write_tree(&tree);
    let shards = work.path().join("shards");
    let mut options = IngestOptions::new(&tree, &shards);
    options.size = 72;
    ingest(&options).unwrap();
    let (whole, parts) = (work.path().join("whole"), work.path().join("parts"));
    train(&shards, &whole, &[]);
    // Two epochs of five steps: stopped within each, the loader's threads changed on the way.
    train(&shards, &parts, &["--max-steps", "3"]);
    let stopped = fs::read(parts.join("last.safetensors")).unwrap();
    train(
        &shards,
        &parts,
        &["--resume", "--threads", "2", "--max-steps", "7"],
    );
    train(&shards, &parts, &["--resume"]);
    for file in ["last.safetensors", "best.safetensors"] {
        let [a, b] = [&whole, &parts].map(|run| fs::read(run.join(file)).unwrap());
        assert!(a == b, "{file} differs");
        assert!(a != stopped, "{file} is that of step 3");
    }
    refuses_other_classes(work.path(), &whole.join("last.safetensors"));
}

/// `train eval` must not score a network on classes that it does not know.
fn refuses_other_classes(work: &Path, checkpoint: &Path) {
    let (tree, shards) = (work.join("others"), work.join("other-shards"));
    for class in ["n00000001", "n00000002", "n00000003"] {
        let folder = tree.join("val").join(class);
        fs::create_dir_all(&folder).unwrap();
        photo(80, 80, 1).save(folder.join("1.png")).unwrap();
        fs::create_dir_all(tree.join("train").join(class)).unwrap();
        photo(80, 80, 2)
            .save(tree.join("train").join(class).join("2.png"))
            .unwrap();
    }
    let mut options = IngestOptions::new(&tree, &shards);
    options.size = 72;
    ingest(&options).unwrap();
    let [checkpoint, shards] = [checkpoint, &shards].map(|path| path.to_str().unwrap());
    let arguments = ["eval", "--checkpoint", checkpoint, "--shards", shards];
    let (code, _, stderr) = run(Program::Train, &arguments);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("not those of the checkpoint") && stderr.contains("n00000001"),
        "{stderr}"
    );
}
