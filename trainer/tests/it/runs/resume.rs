use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use shardmill_trainer::settings::{Order, ScheduleConfig};
use shardmill_trainer::{TrainOptions, train};

use crate::runs::dataset::{CLASSES, options, write};

/// Trains up to `steps` steps, or to the end, going on with what is there.
fn go_on(options: &TrainOptions, steps: Option<u64>) {
    let mut options = options.clone();
    options.resume = options.last().is_file();
    options.max_steps = steps;
    let outcome = train(&options).unwrap();
    assert_eq!(outcome.finished, steps.is_none());
    assert_eq!(outcome.steps, steps.unwrap_or(6 * options.recipe.epochs));
}

/// The lines of a run without what a clock says.
fn lines(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in lines.iter_mut().filter_map(Value::as_object_mut) {
        for clock in ["images_per_second", "data_wait", "seconds"] {
            line.remove(clock);
        }
    }
    lines
}

/// Parameters, velocities, position, schedule, losses, rates and errors are the same bits.
fn assert_same(a: &Path, b: &Path) {
    assert_eq!(lines(a), lines(b));
    for file in ["last.safetensors", "best.safetensors"] {
        assert!(
            fs::read(a.join(file)).unwrap() == fs::read(b.join(file)).unwrap(),
            "{file}"
        );
    }
    assert_eq!(kernels(a), kernels(b));
}

/// The snapshots of conv1's kernels by name.
fn kernels(run: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(run.join("kernels")).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn a_run_stopped_and_resumed_gives_the_bits_of_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, whole, parts] = ["shards", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut straight = options(&shards, &whole);
    straight.threads = 0;
    go_on(&straight, None);
    // Within an epoch and a window of log lines, at an epoch's end, just after it, there again,
    // and when there is nothing left to do.
    for steps in [Some(3), Some(6), Some(7), Some(7), Some(17), None, None] {
        go_on(&options(&shards, &parts), steps);
    }
    assert_same(&whole, &parts);

    let lines = lines(&whole);
    let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!((count("start"), count("step"), count("epoch")), (1, 6, 3));
    assert_eq!(count("evaluation"), 4);
    let rates: Vec<f64> = lines
        .iter()
        .filter(|line| line["event"] == "epoch")
        .map(|line| line["lr"].as_f64().unwrap())
        .collect();
    assert_eq!(rates, [0.001, 0.001, 0.0001]);
}

#[test]
fn a_rate_that_falls_on_a_plateau_falls_in_a_resumed_run_too() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, whole, parts] = ["shards", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let of = |run: &Path| {
        let mut options = options(&shards, run);
        options.recipe.epochs = 40;
        options.model.dropout = 0.0;
        options.recipe.schedule = ScheduleConfig::Plateau {
            factor: 10.0,
            threshold: 100.0,
            patience: 2,
            patience_steps: 20,
            max_drops: 2,
        };
        options
    };
    go_on(&of(&whole), None);
    for steps in [Some(50), Some(93), Some(140), None] {
        go_on(&of(&parts), steps);
    }
    assert_same(&whole, &parts);
    let lines = lines(&whole);
    let epochs = lines.iter().filter(|line| line["event"] == "epoch");
    let seen: Vec<(f64, f64)> = epochs
        .map(|line| (line["loss"].as_f64().unwrap(), line["lr"].as_f64().unwrap()))
        .collect();
    // 22 images of three classes, as equal in number as can be.
    let learned = seen.iter().position(|(loss, _)| *loss < 0.995 * 3_f64.ln());
    let fell = seen.iter().position(|(_, lr)| *lr < 0.001);
    let (learned, fell) = (learned.unwrap(), fell.unwrap());
    assert!(
        learned < fell,
        "learned in {learned}, fell in {fell}: {seen:?}"
    );
    assert_eq!(seen.last().unwrap().1, 0.001 / 10.0 / 10.0);
}

#[test]
fn windows_shared_by_images_change_a_run_and_resume_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, own, whole, parts] =
        ["shards", "own", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    go_on(&options(&shards, &own), None);
    let shared = |run: &Path| {
        let mut options = options(&shards, run);
        options.recipe.draw_every = 5;
        options
    };
    go_on(&shared(&whole), None);
    for steps in [Some(2), Some(9), None] {
        go_on(&shared(&parts), steps);
    }
    assert_same(&whole, &parts);
    let bytes = |run: &Path| fs::read(run.join("last.safetensors")).unwrap();
    assert!(bytes(&own) != bytes(&whole));
}

#[test]
fn another_order_changes_a_run_resumes_to_the_bit_and_stays_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, own, whole, parts] =
        ["shards", "own", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    go_on(&options(&shards, &own), None);
    let in_shards = |run: &Path| {
        let mut options = options(&shards, run);
        options.recipe.order = Order::Shards { together: 2 };
        options
    };
    go_on(&in_shards(&whole), None);
    for steps in [Some(2), Some(9)] {
        go_on(&in_shards(&parts), steps);
    }
    let mut other = options(&shards, &parts);
    other.resume = true;
    let refused = train(&other).unwrap_err().to_string();
    assert!(refused.contains("order shards:2"), "{refused}");
    assert!(refused.contains("global"), "{refused}");
    go_on(&in_shards(&parts), None);
    assert_same(&whole, &parts);
    let bytes = |run: &Path| fs::read(run.join("last.safetensors")).unwrap();
    assert!(bytes(&own) != bytes(&whole));
}

#[test]
fn a_killed_run_goes_on_from_its_last_checkpoint_and_repeats_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, whole, killed] =
        ["shards", "whole", "killed"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    go_on(&options(&shards, &whole), None);

    let options = options(&shards, &killed);
    go_on(&options, Some(5));
    let checkpoint = fs::read(options.last()).unwrap();
    go_on(&options, Some(14));
    let snapshots = |run: &Path| {
        let names = kernels(run).into_keys();
        names
            .map(|name| name.into_string().unwrap())
            .collect::<Vec<_>>()
    };
    let names = [0, 1, 2].map(|epoch| format!("epoch-{epoch:04}.safetensors"));
    assert_eq!(snapshots(&killed), names);
    // Killed while it wrote step 14's checkpoint: the one of step 5 is the last, metrics go on.
    fs::write(options.last(), checkpoint).unwrap();
    let mine = killed.join("kernels/epoch-0002.safetensors.mine");
    fs::write(&mine, "mine").unwrap();
    go_on(&options, Some(5));
    assert!(mine.is_file());
    fs::remove_file(&mine).unwrap();
    assert_eq!(snapshots(&killed), names[..1]);
    fs::write(killed.join("last.safetensors.partial"), "half").unwrap();
    go_on(&options, None);
    assert_same(&whole, &killed);
    assert!(!killed.join("last.safetensors.partial").exists());
}

#[test]
fn checkpoints_on_the_way_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, plain, often] = ["shards", "plain", "often"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    go_on(&options(&shards, &plain), None);
    let mut options = options(&shards, &often);
    options.checkpoint_every = Some(1);
    go_on(&options, None);
    assert_same(&plain, &often);
}

#[test]
fn another_seed_gives_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, a, b] = ["shards", "a", "b"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    go_on(&options(&shards, &a), Some(2));
    let mut other = options(&shards, &b);
    other.seed = 2;
    go_on(&other, Some(2));
    let read = |run: &Path| fs::read(run.join("last.safetensors")).unwrap();
    assert!(read(&a) != read(&b));
}

/// Asked to stop as soon as an epoch's line is written, it is in an evaluation or just behind it.
#[test]
fn a_stop_while_evaluating_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, whole, parts] = ["shards", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    go_on(&options(&shards, &whole), None);
    for epochs in 1..=3 {
        let mut options = options(&shards, &parts);
        options.resume = options.last().is_file();
        let (stop, metrics) = (options.stop.clone(), parts.join("metrics.jsonl"));
        let watcher = std::thread::spawn(move || {
            let count = || {
                let text = fs::read_to_string(&metrics).unwrap_or_default();
                text.matches(r#""event":"epoch""#).count()
            };
            let start = Instant::now();
            while count() < epochs && start.elapsed() < Duration::from_secs(60) {
                std::thread::yield_now();
            }
            stop.request();
        });
        train(&options).unwrap();
        watcher.join().unwrap();
    }
    go_on(&options(&shards, &parts), None);
    assert_same(&whole, &parts);
}
