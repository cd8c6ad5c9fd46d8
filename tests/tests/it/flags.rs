//! No value that is given is lost in silence: it is used, or the command is refused, or it is said.

use std::fs;
use std::path::Path;

use serde_json::Value;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, run, write_tree};

/// Runs `train` with words separated by spaces; `@` stands for the folder.
fn train(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let line = line.replace('@', folder.to_str().unwrap());
    run(Program::Train, &line.split(' ').collect::<Vec<_>>())
}

fn refused(folder: &Path, line: &str, words: &str) {
    let (code, _, stderr) = train(folder, line);
    assert!(
        code.is_some_and(|code| code == 1 || code == 2),
        "{line}: {stderr}"
    );
    assert!(stderr.contains(words), "{line}: {stderr}");
}

/// The recipe and the network of a run.
fn start(run: &Path) -> Value {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

fn shards(folder: &Path) {
    write_tree(&folder.join("images"));
    let mut options = IngestOptions::new(folder.join("images"), folder.join("shards"));
    options.size = 72;
    ingest(&options).unwrap();
}

const BASE: &str = "--shards @/shards --width 0.05 --crop 64 --batch-size 4 --max-steps 1";

#[test]
fn single_values_win_over_what_brings_others_and_contradictions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shards(folder);
    let values = "--variant alexnet-owt --activation tanh --schedule plateau \
                  --set schedule.patience_steps=7 --set model.dropout=0.25 --set model.init.std=0.05";
    let line = format!(
        "{BASE} --out @/kept {}",
        values.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    let (code, _, stderr) = train(folder, &line);
    assert_eq!(code, Some(0), "{stderr}");
    let start = start(&folder.join("kept"));
    assert_eq!(start["recipe"]["schedule"]["patience_steps"], 7);
    let model = &start["model"];
    assert_eq!(
        (&model["variant"], &model["activation"]),
        (&"alexnet-owt".into(), &"tanh".into())
    );
    assert_eq!(
        (&model["dropout"], &model["init"]["std"]),
        (&0.25.into(), &0.05.into())
    );
    assert_eq!(model["init"]["bias"], 0.0);
    // Whatever the order on the command line.
    let (_, summary, _) = train(
        folder,
        "summary --json --set model.removed_conv=3 --set model.variant=alexnet-owt",
    );
    assert!(
        summary.contains("conv4") && !summary.contains("conv3"),
        "{summary}"
    );

    for (more, words) in [
        (
            "--lr 0.1 --set lr=0.001",
            "`--set lr=0.001` and another flag",
        ),
        (
            "--set lr=0.1 --set lr=0.001",
            "`--set lr=0.1` and another flag",
        ),
        ("--set lr=nan", "is not a finite number"),
        ("--set sgd.bias_lr=-1", "biases' rate is -1"),
        (
            "--lr 1.7e308",
            "the learning rate is 1.7e308; it must be above 0 in f32, and at most 1000000",
        ),
        ("--lr 1e-300", "the learning rate is 1e-300"),
        ("--accumulate 288230376151711744", "a step has more than"),
        ("--eval-only --epochs 3", "cannot be used with"),
    ] {
        refused(folder, &format!("{BASE} --out @/refused {more}"), words);
    }
    assert!(!folder.join("refused").exists());
    for (width, words) in [
        ("1e300", "model.width is 1e300; expected 0.0001 to 8"),
        ("1e-300", "model.width is 1e-300"),
    ] {
        refused(folder, &format!("summary --width {width}"), words);
    }
}

#[test]
fn what_a_run_keeps_of_another_one_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shards(folder);
    assert_eq!(train(folder, &format!("{BASE} --out @/first")).0, Some(0));
    fs::write(
        folder.join("other.toml"),
        "mean = \"image\"\nlr = 0.005\n[model]\ndropout = 0.25\n",
    )
    .unwrap();
    let line = "--shards @/shards --batch-size 4 --max-steps 1 --out @/second \
                --init @/first/last.safetensors --recipe @/other.toml";
    let (code, _, stderr) = train(
        folder,
        &line.split_whitespace().collect::<Vec<_>>().join(" "),
    );
    assert_eq!(code, Some(0), "{stderr}");
    for words in [
        "not used",
        "mean = image",
        "model.dropout = 0.25 (the checkpoint's is 0.5)",
    ] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    assert!(!stderr.contains("lr"), "{stderr}");

    refused(
        folder,
        "predict @/images/val/n01440764 --checkpoint @/first/last.safetensors --size 100000",
        "at most 8192",
    );
    let export = "export @/out.safetensors --to pytorch --checkpoint @/first/last.safetensors";
    assert_eq!(train(folder, export).0, Some(0));
    let import = "import @/out.safetensors --from pytorch --out @/in.safetensors";
    refused(
        folder,
        &format!("{import} --width 0.2"),
        "describes its own network",
    );
    assert_eq!(train(folder, &format!("{import} --width 0.05")).0, Some(0));
}

#[test]
fn a_run_is_not_resumed_to_an_end_behind_it_and_lost_lines_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shards(folder);
    let base = BASE.replace(" --max-steps 1", "") + " --out @/run --final-views center";
    assert_eq!(train(folder, &format!("{base} --epochs 2")).0, Some(0));
    refused(
        folder,
        &format!("{base} --resume --epochs 1"),
        "`--epochs 2` or more",
    );
    refused(
        folder,
        &format!("{base} --resume --epochs 3 --max-steps 2"),
        "has done 12 steps already",
    );
    fs::remove_file(folder.join("run/metrics.jsonl")).unwrap();
    let (code, stdout, _) = train(folder, &format!("{base} --resume --epochs 3"));
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("warning: metrics.jsonl has lost"),
        "{stdout}"
    );
}
