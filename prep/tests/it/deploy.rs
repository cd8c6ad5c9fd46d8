//! The files in `deploy/`, run as the schedulers run them: with their variables, all tasks at the same moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shardmill_formats::Codec;

use crate::kit::{Fixture, files, prep, prep_ok};

const OPTIONS: [&str; 4] = ["--size", "24", "--shard-records", "3"];

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name)
}

/// A command without the variables of a scheduler that runs these tests.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        let is_scheduler = ["SLURM_", "OMPI_", "AWS_BATCH_", "JOB_COMPLETION_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if is_scheduler {
            command.env_remove(name);
        }
    }
    command.env("PREP", env!("CARGO_BIN_EXE_prep"));
    command
}

/// The dataset of one machine, and the folders for it and for the parts.
fn whole(fixture: &Fixture) -> [PathBuf; 3] {
    let [images, whole, out] = ["images", "whole", "out"].map(|name| fixture.path(name));
    let (source, target) = (images.to_str().unwrap(), whole.to_str().unwrap());
    prep_ok(&[&["ingest", source, "--out", target][..], &OPTIONS].concat());
    [images, whole, out]
}

fn ends_well(child: Child) -> (String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{error}");
    (out, error)
}

fn spawn(mut command: Command) -> Child {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.spawn().unwrap()
}

/// Parts that begin at the same moment, in a folder that none of them finds, do not disturb each other.
#[cfg(unix)]
#[test]
fn a_job_array_of_slurm_makes_the_bytes_of_one_machine() {
    for (first, step) in [(0, 1), (1, 1), (2, 3)] {
        let fixture = Fixture::new(Codec::Raw);
        let [images, whole, out] = whole(&fixture);
        let tasks = (0..5).map(|task| {
            let mut bash = command("bash");
            bash.arg(deploy("slurm/ingest.sbatch"))
                .args([&images, &out])
                .args(OPTIONS);
            for (name, number) in [
                ("ID", first + task * step),
                ("COUNT", 5),
                ("MIN", first),
                ("MAX", first + 4 * step),
                ("STEP", step),
            ] {
                bash.env(format!("SLURM_ARRAY_TASK_{name}"), number.to_string());
            }
            bash.env("SLURM_PROCID", "0")
                .env("SLURM_CPUS_PER_TASK", "1");
            spawn(bash)
        });
        let tasks: Vec<Child> = tasks.collect();
        for (task, child) in tasks.into_iter().enumerate() {
            let (_, said) = ends_well(child);
            let expected = format!(
                "part {task}/5, by SLURM_ARRAY_TASK_ID={}\n",
                first + task * step
            );
            assert!(said.starts_with(&expected), "{said}");
        }
        let mut merge = command("bash");
        merge.arg(deploy("slurm/merge.sbatch")).arg(&out);
        ends_well(spawn(merge));
        assert!(files(&out) == files(&whole));
    }
}

/// The arguments of the container in a manifest.
fn arguments(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(deploy(manifest)).unwrap();
    let lines = text.lines().map(str::trim);
    let after = lines.skip_while(|line| *line != "args:").skip(1);
    let words = after.map_while(|line| line.strip_prefix("- "));
    words.map(str::to_owned).collect()
}

#[test]
fn an_indexed_job_of_kubernetes_makes_the_bytes_of_one_machine() {
    let text = fs::read_to_string(deploy("kubernetes/ingest.yaml")).unwrap();
    for number in ["completions: 16", "parallelism: 16", "--part=auto/16"] {
        assert!(text.contains(number), "{number}");
    }
    let fixture = Fixture::new(Codec::Raw);
    let [images, whole, out] = whole(&fixture);
    let here = |word: String| match &*word {
        "/images" => images.display().to_string(),
        // This program has no object stores.
        "--out=s3://bucket/imagenet" => format!("--out={}", out.display()),
        "s3://bucket/imagenet" => out.display().to_string(),
        "--codec=jpeg" => "--codec=raw".to_owned(),
        _ => word,
    };
    let words = arguments("kubernetes/ingest.yaml");
    assert!(words.len() >= 6, "{words:?}");
    let words: Vec<String> = words.into_iter().map(here).collect();
    let tasks = (0..16).map(|task| {
        let mut prep = command(env!("CARGO_BIN_EXE_prep"));
        prep.args(&words).args(OPTIONS).arg("--json");
        spawn_with(prep, "JOB_COMPLETION_INDEX", task)
    });
    let tasks: Vec<Child> = tasks.collect();
    for (task, child) in tasks.into_iter().enumerate() {
        let (json, _) = ends_well(child);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["part"], task);
        assert_eq!(json["parts"], 16);
        assert_eq!(json["part_from"], "JOB_COMPLETION_INDEX");
    }
    let words: Vec<String> = arguments("kubernetes/merge.yaml")
        .into_iter()
        .map(here)
        .collect();
    prep_ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(files(&out) == files(&whole));
}

fn spawn_with(mut command: Command, variable: &str, number: usize) -> Child {
    command.env(variable, number.to_string());
    spawn(command)
}

#[test]
fn the_only_task_makes_the_dataset_and_says_what_numbered_it() {
    let fixture = Fixture::new(Codec::Raw);
    let [images, whole, out] = whole(&fixture);
    let mut prep = command(env!("CARGO_BIN_EXE_prep"));
    prep.arg("ingest").arg(images).arg("--out").arg(&out);
    prep.args(OPTIONS).args(["--part", "auto", "--json"]);
    prep.env("OMPI_COMM_WORLD_SIZE", "1");
    let (json, said) = ends_well(spawn_with(prep, "OMPI_COMM_WORLD_RANK", 0));
    assert!(
        said.starts_with("part 0/1, by OMPI_COMM_WORLD_RANK=0\n"),
        "{said}"
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["part_from"], "OMPI_COMM_WORLD_RANK");
    assert_eq!(json["was_complete"], false);
    assert!(files(&out) == files(&whole));
}

#[test]
fn without_a_scheduler_nothing_is_made() {
    let fixture = Fixture::new(Codec::Raw);
    let out = fixture.path("out");
    let mut prep_auto = command(env!("CARGO_BIN_EXE_prep"));
    prep_auto.arg("ingest").arg(fixture.path("images"));
    prep_auto.arg("--out").arg(&out).args(["--part", "auto"]);
    let output = spawn(prep_auto).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("SLURM_ARRAY_TASK_ID (a job array of Slurm)"),
        "{said}"
    );
    assert!(!out.exists());
    let output = prep(&["ingest", "x", "--out", "y", "--part", "auto/0"]);
    assert_eq!(output.status.code(), Some(2));
}
