//! Ranks that are threads train one network together, over channels in place of MPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use shardmill_formats::Causes;
use shardmill_loader::Dataset;
use shardmill_trainer::internals::{MeanCut, Ranks, local_links, mean_image, train_among};
use shardmill_trainer::settings::{Mean, ScheduleConfig};
use shardmill_trainer::{Checkpoint, TrainError, TrainOptions, TrainOutcome, train};

use crate::runs::dataset::{CLASSES, SIDE, options, write};

const TIMEOUT: Duration = Duration::from_secs(120);

type Outcome = Result<TrainOutcome, Box<TrainError>>;

/// Trains with a rank for each of these options.
fn train_ranks(options: &[TrainOptions]) -> Vec<Outcome> {
    thread::scope(|scope| {
        let threads: Vec<_> = local_links(options.len())
            .into_iter()
            .zip(options)
            .map(|(link, options)| {
                scope.spawn(move || {
                    let ranks = Ranks::new(Box::new(link), TIMEOUT);
                    train_among(options, &ranks).map_err(Box::new)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// The options of so many ranks, each with a folder of its own: only the first one's is used.
fn for_ranks(size: usize, run: &Path, make: impl Fn(&Path) -> TrainOptions) -> Vec<TrainOptions> {
    let folder = |rank: usize| match rank {
        0 => run.to_owned(),
        _ => PathBuf::from(format!("{}-rank-{rank}", run.display())),
    };
    (0..size).map(|rank| make(&folder(rank))).collect()
}

/// The lines of a run of one kind.
fn lines(run: &Path, event: &str) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["event"] == event)
        .collect()
}

fn numbers(lines: &[Value], key: &str) -> Vec<f64> {
    lines
        .iter()
        .map(|line| line[key].as_f64().unwrap())
        .collect()
}

fn assert_near(found: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs() / expected.abs();
        assert!(
            off <= relative,
            "{what}, step {step}: {found} and {expected}, off by {off:e}"
        );
    }
}

/// Two epochs at a small rate, each step with its line. Batches of 4 of 22 images: four ranks have one image each, three
/// ranks 2, 1 and 1, and of the last two images the last ranks have none.
fn small_steps(shards: &Path, run: &Path) -> TrainOptions {
    let mut options = options(shards, run);
    options.log_every = 1;
    options.recipe.epochs = 2;
    options.recipe.lr = 2e-5;
    options.recipe.schedule = ScheduleConfig::steps(vec![]);
    options
}

#[test]
fn as_many_ranks_as_you_like_make_the_steps_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, alone] = ["shards", "alone"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    train(&small_steps(&shards, &alone)).unwrap();
    let expected = lines(&alone, "step");
    assert_eq!(expected.len(), 12);
    for size in [2, 3, 4] {
        let run = folder.path().join(format!("{size}-ranks"));
        let outcomes = train_ranks(&for_ranks(size, &run, |run| small_steps(&shards, run)));
        let steps = lines(&run, "step");
        for key in ["loss", "gradient_norm"] {
            let (found, expected) = (numbers(&steps, key), numbers(&expected, key));
            assert_near(&found[..1], &expected[..1], 1e-5, key);
            assert_near(&found, &expected, 1e-4, key);
        }
        for key in ["samples", "top1_error", "top5_error", "lr"] {
            assert_eq!(
                numbers(&steps, key),
                numbers(&expected, key),
                "{key}, {size} ranks"
            );
        }
        let wait = numbers(&steps, "rank_wait");
        assert!(
            wait.iter().all(|share| (0.0..=1.0).contains(share)),
            "{wait:?}"
        );
        assert!(expected.iter().all(|step| step.get("rank_wait").is_none()));
        let [found, one] = [&run, &alone].map(|run| lines(run, "evaluation"));
        assert_eq!(found.len(), 3);
        for key in ["samples", "top1_error", "top5_error", "step"] {
            assert_eq!(numbers(&found, key), numbers(&one, key), "{key}");
        }
        assert_near(
            &numbers(&found, "loss"),
            &numbers(&one, "loss"),
            1e-4,
            "evaluation",
        );
        for (rank, outcome) in outcomes.iter().enumerate() {
            let outcome = outcome.as_ref().unwrap();
            assert_eq!((outcome.steps, outcome.finished), (12, true));
            // Ranks other than 0 write nothing.
            assert_eq!(outcome.run.exists(), rank == 0);
        }
    }
}

#[test]
fn the_same_command_gives_the_same_bits_for_as_many_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    write(&shards, &CLASSES);
    let bytes = ["first", "second"].map(|name| {
        let run = folder.path().join(name);
        for outcome in train_ranks(&for_ranks(3, &run, |run| options(&shards, run))) {
            outcome.unwrap();
        }
        fs::read(run.join("last.safetensors")).unwrap()
    });
    assert!(bytes[0] == bytes[1]);
}

#[test]
fn accumulated_batches_are_shared_too() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, alone, run] = ["shards", "alone", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let make = |run: &Path| {
        let mut options = small_steps(&shards, run);
        options.recipe.accumulate = 3;
        options
    };
    train(&make(&alone)).unwrap();
    for outcome in train_ranks(&for_ranks(3, &run, make)) {
        assert_eq!(outcome.unwrap().steps, 4);
    }
    for key in ["loss", "gradient_norm"] {
        let [found, expected] = [&run, &alone].map(|run| numbers(&lines(run, "step"), key));
        assert_near(&found, &expected, 1e-4, key);
    }
}

#[test]
fn a_checkpoint_moves_between_any_numbers_of_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, alone, run] = ["shards", "alone", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    train(&small_steps(&shards, &alone)).unwrap();
    // In the middle of an epoch, at its end, and in the next.
    for (size, steps) in [(3, Some(4)), (2, Some(6)), (1, Some(8)), (4, None)] {
        let options = for_ranks(size, &run, |run| {
            let mut options = small_steps(&shards, run);
            options.max_steps = steps;
            options.resume = steps != Some(4);
            options
        });
        for outcome in train_ranks(&options) {
            assert_eq!(outcome.unwrap().steps, steps.unwrap_or(12));
        }
    }
    for key in ["loss", "gradient_norm"] {
        let [found, expected] = [&run, &alone].map(|run| numbers(&lines(run, "step"), key));
        assert_near(&found, &expected, 1e-4, key);
    }
}

#[test]
fn all_ranks_stop_after_the_same_step_when_one_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let options = for_ranks(3, &run, |run| {
        let mut options = options(&shards, run);
        options.recipe.epochs = 100_000;
        options.eval_every = 0;
        options
    });
    let stop = options[1].stop.clone();
    let asking = thread::spawn({
        let last = options[0].last();
        move || {
            while !last.is_file() {
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(Duration::from_millis(200));
            stop.request();
        }
    });
    let outcomes: Vec<TrainOutcome> = train_ranks(&options)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    asking.join().unwrap();
    let steps = outcomes[0].steps;
    assert!(steps > 0);
    for outcome in &outcomes {
        assert_eq!((outcome.steps, outcome.finished), (steps, false));
    }
    let stored = Checkpoint::peek(&options[0].last()).unwrap();
    assert_eq!(stored.progress.step, steps);
}

#[test]
fn a_mean_image_is_made_of_all_parts() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let make = |run: &Path| {
        let mut options = options(&shards, run);
        options.recipe.mean = Mean::Image;
        options.max_steps = Some(2);
        options
    };
    for outcome in train_ranks(&for_ranks(3, &run, make)) {
        outcome.unwrap();
    }
    let dataset = Dataset::open(&shards, "train").unwrap();
    let expected = mean_image(&dataset, MeanCut::Window, 1, |_| {}).unwrap();
    let checkpoint = Checkpoint::read(&run.join("last.safetensors")).unwrap();
    assert_eq!(*checkpoint.mean_image().unwrap().unwrap(), expected);
}

/// The texts of the errors of all ranks, which each must have.
fn errors(outcomes: Vec<Outcome>) -> Vec<String> {
    let text = |outcome: Outcome| Causes(&*outcome.unwrap_err()).to_string();
    outcomes.into_iter().map(text).collect()
}

#[test]
fn ranks_with_other_settings_are_refused_by_name_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut all = for_ranks(3, &run, |run| options(&shards, run));
    all[1].recipe.lr = 0.25;
    for text in errors(train_ranks(&all)) {
        assert!(
            text.contains("rank 1 has recipe.lr 0.25, and rank 0 has 0.001"),
            "{text}"
        );
    }
    assert!(!run.exists());
}

#[test]
fn ranks_with_other_datasets_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, others, run] = ["shards", "others", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    write(&others, &["n01", "n02", "n04"]);
    let mut all = for_ranks(3, &run, |run| options(&shards, run));
    all[2].shards = others;
    for text in errors(train_ranks(&all)) {
        assert!(
            text.contains("rank 2 has a manifest.json with CRC-32C"),
            "{text}"
        );
    }
    assert!(!run.exists());
}

#[test]
fn an_error_of_one_rank_ends_all_with_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, damaged, run] = ["shards", "damaged", "run"].map(|name| folder.path().join(name));
    for dir in [&shards, &damaged] {
        write(dir, &CLASSES);
    }
    // The same manifest, and a byte of every other record of the training split is another.
    let shards_of = fs::read_dir(&damaged)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_train = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("train")
    };
    let shard = shards_of.into_iter().find(is_train).unwrap();
    let mut bytes = fs::read(&shard).unwrap();
    let record = (SIDE * SIDE * 3) as usize;
    for at in (bytes.len() / 4..bytes.len() / 4 * 3).step_by(record) {
        bytes[at] ^= 0xff;
    }
    fs::write(&shard, bytes).unwrap();
    let mut all = for_ranks(3, &run, |run| options(&shards, run));
    all[2].shards = damaged;
    let texts = errors(train_ranks(&all));
    assert!(texts[2].contains("record"), "{}", texts[2]);
    for text in &texts[..2] {
        assert!(
            text.starts_with("rank 2: ") && text.contains(&texts[2]),
            "{text}"
        );
    }
}

#[test]
fn ranks_that_have_drifted_apart_write_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run, other] = ["shards", "run", "other"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let weights = [1, 2].map(|seed| {
        let mut options = options(&shards, &other.join(seed.to_string()));
        (options.seed, options.max_steps) = (seed, Some(0));
        train(&options).unwrap().last
    });
    let mut all = for_ranks(2, &run, |run| options(&shards, run));
    for (options, weights) in all.iter_mut().zip(weights) {
        options.init = Some(weights);
    }
    for text in errors(train_ranks(&all)) {
        assert!(
            text.contains("step 0: ") && text.contains("of rank 1 is not that of rank 0"),
            "{text}"
        );
    }
    assert!(!run.join("last.safetensors").exists());
}
