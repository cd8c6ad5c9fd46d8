use std::fs;
use std::path::{Path, PathBuf};

use super::run::{ComparedRun, distinct_names};
use super::{CompareError, Comparison};
use crate::net::config::ModelConfig;
use crate::net::scores::Scores;
use crate::recipe::Recipe;
use crate::recipe::schedule::ScheduleConfig;
use crate::run::View;
use crate::run::log::Line;

/// Writes the log of a run of `epochs` epochs of ten steps in `folder`.
fn write(folder: &Path, classes: usize, epochs: u64, recipe: &Recipe, model: &ModelConfig) {
    let mut lines = vec![Line::Start {
        shards: None,
        manifest_crc32c: None,
        seed: 1,
        classes,
        train_images: 1_280,
        val_split: Some("val"),
        val_images: 100,
        recipe,
        model,
    }];
    for epoch in 1..=epochs {
        let error = 90.0 - 10.0 * epoch as f64;
        lines.push(Line::Step {
            epoch,
            step: 10 * epoch,
            samples: 1_280,
            loss: 2.0,
            lr: recipe.lr,
            top1_error: error,
            top5_error: error / 2.0,
            gradient_norm: 1.0,
            images_per_second: 100.0,
            data_wait: 0.0,
            rank_wait: None,
            seconds: 10.0 * epoch as f64,
        });
        lines.push(Line::Epoch {
            epoch,
            step: 10 * epoch,
            lr: recipe.lr,
            loss: 2.0,
            top1_error: error,
            top5_error: error / 2.0,
        });
        lines.push(Line::Evaluation {
            epoch,
            step: 10 * epoch,
            split: "val",
            views: View::Center,
            scores: Scores {
                samples: 100,
                loss: 2.5,
                top1_error: error + 1.0,
                top5_error: error / 2.0,
            },
            guessing_top1_error: None,
            seconds: 1.0,
        });
    }
    let text = lines
        .iter()
        .map(|line| serde_json::to_string(line).unwrap() + "\n");
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("metrics.jsonl"), text.collect::<String>()).unwrap();
}

fn recipe(epochs: u64, lr: f64) -> Recipe {
    Recipe {
        epochs,
        lr,
        ..Recipe::default()
    }
}

#[test]
fn runs_stand_beside_each_other_with_what_differs() {
    let parent = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b<i>"].map(|name| parent.path().join(name));
    write(&a, 10, 3, &recipe(3, 0.01), &ModelConfig::default());
    let narrow = ModelConfig {
        width: 0.5,
        ..ModelConfig::default()
    };
    let mut steps = recipe(4, 0.002);
    steps.schedule = ScheduleConfig::steps(vec![2]);
    write(&b, 10, 2, &steps, &narrow);
    let mut comparison = Comparison::read(&[a, b]).unwrap();
    let keys: Vec<&str> = comparison
        .differences
        .iter()
        .map(|row| row.key.as_str())
        .collect();
    assert_eq!(keys, ["epochs", "lr", "model.width", "schedule"]);
    let lr = &comparison.differences[1].values;
    assert_eq!(lr, &[Some("0.01".to_owned()), Some("0.002".to_owned())]);
    let best = comparison.runs[0].best.unwrap();
    assert_eq!((best.epoch, best.top1_error), (3, 61.0));
    assert_eq!(comparison.notes, ["b<i> has trained 2 of 4 epochs."]);

    let text = comparison.to_string();
    for words in [
        "a     3/3",
        "61.00 / 30.00 (3)",
        "lr           0.01",
        "note: b<i> has trained",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    let page = parent.path().join("page.html");
    comparison.write(&page, false).unwrap();
    let html = fs::read_to_string(&page).unwrap();
    assert_eq!(html.matches("<svg").count(), 8);
    assert!(html.contains("b&lt;i&gt;") && !html.contains("<i>"));
    assert!(html.contains("compare-top1-epochs") && html.contains("compare-rate-steps"));
    // Of 10 classes, guessing is wrong for 90% with one guess and for 50% with five.
    for guessing in ["equally frequent: 90%.", "equally frequent: 50%."] {
        assert_eq!(html.matches(guessing).count(), 2, "{guessing}");
    }
    assert!(html.contains("Top-1 error, % over epochs."));
    let refused = comparison.write(&page, false);
    assert!(matches!(refused, Err(CompareError::File(_))));
    comparison.write(&page, true).unwrap();
}

#[test]
fn other_data_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| parent.path().join(name));
    let model = |classes| ModelConfig {
        classes,
        ..ModelConfig::default()
    };
    write(&a, 10, 1, &recipe(1, 0.01), &model(10));
    write(&b, 100, 1, &recipe(1, 0.01), &model(100));
    write(&c, 10, 1, &recipe(1, 0.01), &model(10));
    let log = c.join("metrics.jsonl");
    let other = fs::read_to_string(&log)
        .unwrap()
        .replace("\"val_images\":100", "\"val_images\":7");
    fs::write(&log, other).unwrap();
    let start = fs::read_to_string(a.join("metrics.jsonl")).unwrap();
    let rest = start.split_once("\"train_images\":").unwrap().1;
    let images = rest.split_once(',').unwrap().0;
    write(&d, 10, 1, &recipe(1, 0.01), &model(10));
    let other = start.replace(&format!("\"train_images\":{images}"), "\"train_images\":77");
    fs::write(d.join("metrics.jsonl"), other).unwrap();
    let notes = Comparison::read(&[a, b, c, d]).unwrap().notes.join("\n");
    let trained = format!("a was trained on {images} images and d on 77, so on different data");
    assert!(notes.contains(&trained), "{notes}");
    assert!(notes.contains("a and b have 10 and 100 classes"), "{notes}");
    assert!(
        notes.contains("100 images of split val and 7 images of split val"),
        "{notes}"
    );
}

#[test]
fn a_third_run_of_another_kind_has_its_own_values() {
    let parent = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| parent.path().join(name));
    let mut plateau = recipe(1, 0.01);
    write(&a, 10, 1, &plateau, &ModelConfig::default());
    if let ScheduleConfig::Plateau { patience, .. } = &mut plateau.schedule {
        *patience += 1;
    }
    write(&b, 10, 1, &plateau, &ModelConfig::default());
    let mut steps = recipe(1, 0.01);
    steps.schedule = ScheduleConfig::steps(vec![2]);
    write(&c, 10, 1, &steps, &ModelConfig::default());
    let rows = Comparison::read(&[a, b, c]).unwrap().differences;
    let patience = rows
        .iter()
        .find(|row| row.key == "schedule.patience")
        .unwrap();
    assert_eq!(patience.values[2].as_deref(), Some("see schedule"));
}

#[test]
fn runs_that_cannot_be_compared_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let run = parent.path().join("run");
    write(&run, 10, 1, &recipe(1, 0.01), &ModelConfig::default());
    let read = |folders: &[&Path]| {
        let folders: Vec<PathBuf> = folders.iter().map(|f| f.to_path_buf()).collect();
        Comparison::read(&folders).map(|_| ())
    };
    assert!(matches!(read(&[&run]), Err(CompareError::Few)));
    let again = run.join(".");
    assert!(matches!(
        read(&[&run, &again]),
        Err(CompareError::Twice { .. })
    ));
    let none = parent.path().join("none");
    assert!(matches!(
        read(&[&run, &none]),
        Err(CompareError::History(_))
    ));
}

#[test]
fn names_are_as_long_as_it_takes_to_tell_them_apart() {
    let parent = tempfile::tempdir().unwrap();
    let folders = ["x/relu/seed1", "x/tanh/seed1", "y/tanh/seed1", "other"];
    let folders = folders.map(|folder| {
        let folder = parent.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    });
    let names = distinct_names(&folders);
    assert_eq!(
        names,
        ["relu/seed1", "x/tanh/seed1", "y/tanh/seed1", "other"]
    );
}

#[test]
fn a_run_at_its_beginning_is_compared_too() {
    let parent = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| parent.path().join(name));
    write(&a, 10, 0, &recipe(1, 0.01), &ModelConfig::default());
    write(&b, 10, 1, &recipe(1, 0.01), &ModelConfig::default());
    let mut comparison = Comparison::read(&[a, b]).unwrap();
    let ComparedRun { epochs, best, .. } = &comparison.runs[0];
    assert_eq!((*epochs, best.is_none()), (0, true));
    assert!(comparison.to_string().contains("a has not been validated."));
    comparison
        .write(&parent.path().join("page.html"), false)
        .unwrap();
}
