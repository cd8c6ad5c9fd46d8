//! A run of the program that is stopped and resumed ends as one that never was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, photo, run, write_tree};
use shardmill_trainer::Checkpoint;

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
    let shards = prepared(work.path());
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

/// Many epochs of five steps, each with its log line, and with a checkpoint where asked for.
fn long_run(shards: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = Program::Train.command();
    command.arg("--shards").arg(shards).arg("--out").arg(out);
    command
        .args("--width 0.05 --crop 64 --batch-size 5 --lr 0.001 --log-every 1".split(' '))
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn prepared(work: &Path) -> PathBuf {
    let (tree, shards) = (work.join("tree"), work.join("shards"));
    write_tree(&tree);
    let mut options = IngestOptions::new(&tree, &shards);
    options.size = 72;
    ingest(&options).unwrap();
    shards
}

fn steps_done(run: &Path) -> u64 {
    Checkpoint::peek(&run.join("last.safetensors")).map_or(0, |state| state.progress.step)
}

#[test]
fn a_run_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_one() {
    let work = tempfile::tempdir().unwrap();
    let shards = prepared(work.path());
    let (whole, killed) = (work.path().join("whole"), work.path().join("killed"));
    let flags = ["--epochs", "12", "--checkpoint-every", "2"];
    // Building the program is no part of the run.
    let mut command = long_run(&shards, &whole, &flags);
    let start = Instant::now();
    assert!(command.status().unwrap().success());
    let length = start.elapsed().as_secs_f64();
    let total = steps_done(&whole);

    let mut within = 0;
    for attempt in 1..=8 {
        let mut more = flags.to_vec();
        if killed.join("last.safetensors").is_file() {
            more.push("--resume");
        } else if killed.is_dir() {
            // Killed before its first checkpoint: nothing to go on with.
            fs::remove_dir_all(&killed).unwrap();
        }
        let mut child = long_run(&shards, &killed, &more).spawn().unwrap();
        // Spread over the first half of the run by the golden ratio, so that no two are alike.
        let share = f64::from(attempt) * 0.618_034 % 1.0 / 2.0;
        std::thread::sleep(Duration::from_secs_f64(length * share));
        let _ = child.kill();
        child.wait().unwrap();
        let step = steps_done(&killed);
        within += u32::from(0 < step && step < total);
    }
    assert!(within > 0, "no kill came between two checkpoints");
    let mut more = flags.to_vec();
    more.extend(
        killed
            .join("last.safetensors")
            .is_file()
            .then_some("--resume"),
    );
    assert!(
        long_run(&shards, &killed, &more)
            .status()
            .unwrap()
            .success()
    );
    for file in ["last.safetensors", "best.safetensors"] {
        let [a, b] = [&whole, &killed].map(|run| fs::read(run.join(file)).unwrap());
        assert!(a == b, "{file} differs after {within} kills");
    }
}

/// Ends as `--max-steps` at the same step does.
#[cfg(unix)]
#[test]
fn a_terminated_run_saves_the_step_that_it_is_at() {
    let work = tempfile::tempdir().unwrap();
    let shards = prepared(work.path());
    for signal in ["-TERM", "-INT"] {
        let (stopped, counted) = (work.path().join("stopped"), work.path().join("counted"));
        let flags = ["--epochs", "5000", "--eval-every", "0"];
        let mut child = long_run(&shards, &stopped, &flags).spawn().unwrap();
        let metrics = stopped.join("metrics.jsonl");
        let steps = || {
            let text = fs::read_to_string(&metrics).unwrap_or_default();
            text.lines()
                .filter(|line| line.contains(r#""event":"step""#))
                .count() as u64
        };
        let start = Instant::now();
        while steps() < 8 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "no eight steps in a minute"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        let id = child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        assert!(child.wait().unwrap().success(), "{signal}");
        let step = steps_done(&stopped);
        assert_eq!(step, steps(), "{signal}: a step was lost");
        let step = step.to_string();
        let mut more = flags.to_vec();
        more.extend(["--max-steps", &step]);
        assert!(
            long_run(&shards, &counted, &more)
                .status()
                .unwrap()
                .success()
        );
        let [a, b] =
            [&stopped, &counted].map(|run| fs::read(run.join("last.safetensors")).unwrap());
        assert!(a == b, "{signal} at step {step}");
        fs::remove_dir_all(&stopped).unwrap();
        fs::remove_dir_all(&counted).unwrap();
    }
}
