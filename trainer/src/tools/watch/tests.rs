use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use shardmill_formats::Class;

use super::view::draw;
use super::{Curves, Follower, Status, Summary, WatchError, state};
use crate::checkpoint::{Checkpoint, PixelStatistics, RunState};
use crate::net::config::ModelConfig;
use crate::net::scores::Scores;
use crate::recipe::Recipe;
use crate::run::log::Line;
use crate::run::{LAST, View};

/// Steps of an epoch in the run that is made here: 1,280 images in batches of 128.
const STEPS: u64 = 10;

/// The lines of a run of `epochs` whole epochs out of 90, with a log line for every second step, two seconds
/// apart, and ten seconds for each evaluation.
fn lines(epochs: u64) -> Vec<String> {
    let (recipe, model) = (Recipe::default(), ModelConfig::default());
    let mut lines = vec![text(&Line::Start {
        seed: 1,
        classes: 10,
        train_images: 1_280,
        val_split: Some("val"),
        val_images: 100,
        recipe: &recipe,
        model: &model,
        shards: None,
        manifest_crc32c: None,
    })];
    let mut seconds = 0.0;
    for step in 1..=epochs * STEPS {
        let epoch = (step - 1) / STEPS + 1;
        let share = step as f64 / (90 * STEPS) as f64;
        seconds += 2.0;
        if step % 2 == 0 {
            lines.push(text(&Line::Step {
                epoch,
                step,
                samples: (step - (epoch - 1) * STEPS) * 128,
                loss: 2.3 - 2.0 * share,
                lr: if epoch > 40 { 0.001 } else { 0.01 },
                top1_error: 90.0 - 80.0 * share,
                top5_error: 50.0 - 45.0 * share,
                gradient_norm: 1.0,
                images_per_second: 64.0,
                data_wait: 0.05,
                rank_wait: None,
                seconds,
            }));
        }
        if step % STEPS == 0 {
            seconds += 10.0;
            lines.push(text(&Line::Evaluation {
                epoch,
                step,
                split: "val",
                views: View::Center,
                scores: Scores {
                    samples: 100,
                    loss: 2.3 - 1.5 * share,
                    top1_error: 90.0 - 60.0 * share,
                    top5_error: 50.0 - 40.0 * share,
                },
                guessing_top1_error: Some(90.0),
                seconds,
            }));
        }
    }
    lines
}

fn text(line: &Line<'_>) -> String {
    serde_json::to_string(line).unwrap() + "\n"
}

fn write(run: &Path, lines: &[String]) {
    fs::write(run.join("metrics.jsonl"), lines.concat()).unwrap();
}

/// Writes a last checkpoint of a step.
fn checkpoint(run: &Path, step: u64) {
    let pixels = PixelStatistics {
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    let model = ModelConfig {
        classes: 1,
        ..ModelConfig::default()
    };
    let class = Class {
        synset: "ant".to_owned(),
        name: String::new(),
    };
    let mut state = RunState::unborn(model, vec![class], pixels);
    state.progress.step = step;
    state.progress.epoch = step / 10;
    Checkpoint::write(&run.join(LAST), &state, &BTreeMap::new()).unwrap();
}

fn summary(run: &Path) -> Summary {
    let mut follower = Follower::new(run).unwrap();
    follower.poll().unwrap();
    Summary {
        status: Status::of(&follower),
        curves: Curves::of(follower.history()),
    }
}

fn drawn(summary: &Summary, width: u16, height: u16, colours: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(frame, summary, colours))
        .unwrap();
    terminal.backend().buffer().clone()
}

/// The rows of a picture.
fn rows(picture: &Buffer) -> Vec<String> {
    let width = usize::from(picture.area.width);
    let cells: Vec<&str> = picture.content.iter().map(|cell| cell.symbol()).collect();
    cells.chunks(width.max(1)).map(<[&str]>::concat).collect()
}

#[test]
fn a_terminal_of_80_by_24_shows_every_panel() {
    let run = tempfile::tempdir().unwrap();
    let mut log = lines(45);
    for number in 1..=5 {
        log.push(text(&Line::Warning {
            epoch: 45,
            step: 450,
            message: &format!("\u{1b}[31mhot {number}"),
        }));
    }
    write(run.path(), &log);
    let rows = rows(&drawn(&summary(run.path()), 80, 24, false));
    let all = rows.join("\n");
    for words in [
        "epoch 45/90 step 450/900 loss 1.300 err 50.0/27.5% 64.0 img/s wait 5.0%",
        "val after epoch 45: loss 1.5500 err 60.00/30.00%  best 60.00% (epoch 45)",
        "loss: ",
        "top-1, top-5 error, %: ",
        "learning rate",
        "images a second",
        "wait for data",
        "epoch 45.0",
        "(2 earlier) \\u001b[31mhot 3",
        "hot 5",
        "1e-3",
        "q ends this",
    ] {
        assert!(all.contains(words), "{words}:\n{all}");
    }
    let braille = |c: char| ('\u{2801}'..='\u{28ff}').contains(&c);
    assert!(all.chars().filter(|c| braille(*c)).count() > 50, "{all}");
    assert!(all.contains('•'), "{all}");
}

#[test]
fn every_size_is_drawn_and_small_ones_keep_the_numbers() {
    let run = tempfile::tempdir().unwrap();
    write(run.path(), &lines(3));
    let summary = summary(run.path());
    for (width, height, words) in [
        (200, 60, "learning rate"),
        (64, 20, "learning rate"),
        (63, 24, "loss: "),
        (40, 12, "top-1, top-5 error"),
        (29, 8, "epoch 3/90 step 30/900"),
        (10, 2, "epoch 3/90"),
    ] {
        let all = rows(&drawn(&summary, width, height, true)).join("\n");
        assert!(all.contains(words), "{width}x{height}: {words}:\n{all}");
    }
    for width in (1..=90).step_by(4) {
        for height in (1..=30).step_by(3) {
            drawn(&summary, width, height, true);
        }
    }
}

#[test]
fn runs_at_their_beginning_are_drawn() {
    let run = tempfile::tempdir().unwrap();
    let waiting = drawn(&summary(run.path()), 80, 24, true);
    assert!(
        rows(&waiting)
            .join("\n")
            .contains("there is no metrics.jsonl yet")
    );
    let log = lines(1);
    // The first line alone, a step, and a log whose first line is lost.
    for part in [&log[..1], &log[..2], &log[1..]] {
        write(run.path(), part);
        for [width, height] in [[80, 24], [40, 12], [20, 4]] {
            drawn(&summary(run.path()), width, height, true);
        }
    }
}

#[test]
fn without_colours_no_cell_has_one() {
    let run = tempfile::tempdir().unwrap();
    write(run.path(), &lines(4));
    let summary = summary(run.path());
    let coloured = |colours| {
        let picture = drawn(&summary, 80, 24, colours);
        let cells = picture.content.iter();
        cells
            .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
            .count()
    };
    assert_eq!(coloured(false), 0);
    assert!(coloured(true) > 20);
}

#[test]
fn the_time_left_is_that_of_the_last_epochs_pace_with_its_evaluations() {
    let run = tempfile::tempdir().unwrap();
    let mut log = lines(45);
    write(run.path(), &log);
    let status = summary(run.path()).status;
    // From step 440 to 450: ten steps of two seconds, and an evaluation of ten. 450 steps are left.
    assert_eq!(status.eta_seconds, Some(450.0 * 3.0));
    assert_eq!(status.share_done(), 0.5);
    assert_eq!(status.best.unwrap().epoch, 45);

    // A resumed process counts its seconds from 0; a single line of it has a speed only.
    log.push(text(&Line::Step {
        epoch: 46,
        step: 452,
        samples: 256,
        loss: 1.0,
        lr: 0.01,
        top1_error: 50.0,
        top5_error: 20.0,
        gradient_norm: 1.0,
        images_per_second: 128.0,
        data_wait: 0.0,
        rank_wait: None,
        seconds: 1.0,
    }));
    write(run.path(), &log);
    assert_eq!(summary(run.path()).status.eta_seconds, Some(448.0));
}

#[test]
fn the_state_is_printed_as_text_and_as_an_object() {
    let run = tempfile::tempdir().unwrap();
    write(run.path(), &lines(45));
    let summary = state(run.path()).unwrap();
    let text = summary.to_string();
    for words in [
        "training    epoch 45/90 step 450/900",
        "validation  val after epoch 45",
        "guessing    err 90.00%",
        "eta         22m30s",
        "loss        █",
        "rate        ███",
        "0.001000 (from 0.001000 to 0.010000)",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    for line in text.lines().filter(|line| line.contains("(from ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["activity"], "running");
    assert_eq!(json["training"]["step"], 450);
    assert_eq!(json["validation"]["top1_error"], 60.0);
}

#[test]
fn what_is_no_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let none = state(&folder.path().join("none"));
    assert!(matches!(none, Err(WatchError::NoRun { .. })));
    fs::write(folder.path().join("metrics.jsonl"), "nonsense\n").unwrap();
    let nonsense = state(folder.path());
    assert!(matches!(nonsense, Err(WatchError::NoLine { .. })));
}

#[test]
fn a_run_whose_checkpoint_is_newer_than_its_log_may_be_stopped_and_has_no_time_left() {
    let run = tempfile::tempdir().unwrap();
    write(run.path(), &lines(3));
    assert!(summary(run.path()).status.eta_seconds.is_some());
    checkpoint(run.path(), 30);
    let status = summary(run.path()).status;
    assert!(
        status
            .activity()
            .starts_with("stopped or between log lines")
    );
    assert_eq!(status.eta_seconds, None);
    // One of an earlier step is no sign of a stop.
    checkpoint(run.path(), 20);
    let status = summary(run.path()).status;
    assert!(status.activity().starts_with("running"));
    assert!(status.eta_seconds.is_some());
}

#[test]
fn a_finished_run_whose_log_is_lost_is_said_to_have_none() {
    let run = tempfile::tempdir().unwrap();
    write(run.path(), &[]);
    checkpoint(run.path(), 900);
    let activity = summary(run.path()).status.activity();
    assert_eq!(
        activity,
        "finished: all 90 epochs are trained; metrics.jsonl has no step of it"
    );
}
