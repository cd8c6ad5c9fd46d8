//! How it was trained, how that differs from the paper, and what the weights are not for.

use std::fmt::Write;

use crate::net::config::ModelConfig;
use crate::recipe::Recipe;
use crate::recipe::difference::differences;
use crate::report::card::Subject;
use crate::report::card::markdown::{code, plain, table};
use crate::report::text::{duration, grouped};
use crate::run::log::{History, StepPoint};

/// The recipe, and how far the training went.
pub(super) fn training(subject: &Subject<'_>) -> String {
    let state = subject.state;
    let mut text = "## How it was trained\n\n".to_owned();
    if !subject.is_trained() {
        return text + "Not here, so that nothing is known about it.\n";
    }
    let progress = &state.progress;
    let _ = writeln!(
        text,
        "These weights are from after {} of {} epochs and {} steps, with seed {}.",
        progress.epoch,
        state.recipe.epochs,
        grouped(progress.step),
        state.seed
    );
    if progress.samples > 0 {
        let _ = writeln!(
            text,
            "The epoch after those had seen {} of {} images.",
            grouped(progress.samples),
            grouped(progress.records)
        );
    }
    if let Some(history) = subject.history {
        let seconds = seconds(&history.steps, progress.step);
        let warnings = warnings(history, progress.step);
        let _ = writeln!(
            text,
            "Training took {}, evaluations included.\nThe log has {warnings}.",
            duration(seconds)
        );
    }
    let _ = writeln!(text, "\n```text\n{}\n```", state.recipe);
    text
}

/// Seconds of all processes of the run up to `step`: each counts its own from 0.
fn seconds(steps: &[StepPoint], step: u64) -> f64 {
    let mut sum = 0.0;
    let mut last = 0.0;
    for point in steps.iter().take_while(|point| point.step <= step) {
        if point.seconds < last {
            sum += last;
        }
        last = point.seconds;
    }
    sum + last
}

/// A warning without the mark that a terminal shows before it.
fn mark_off(message: &str) -> &str {
    message.strip_prefix("warning: ").unwrap_or(message)
}

fn warnings(history: &History, step: u64) -> String {
    let earlier = history
        .warnings
        .iter()
        .filter(|warning| warning.step <= step);
    let earlier: Vec<&str> = earlier.map(|warning| mark_off(&warning.message)).collect();
    match earlier.as_slice() {
        [] => "no warning".to_owned(),
        [one] => format!("one warning: {}", plain(one)),
        [.., last] => format!("{} warnings, the last: {}", earlier.len(), plain(last)),
    }
}

/// Every value that differs from the paper's.
fn differences_from_the_paper(subject: &Subject<'_>) -> Vec<Vec<String>> {
    let state = subject.state;
    let paper = ModelConfig {
        classes: state.model.classes,
        ..ModelConfig::alexnet()
    };
    let network = differences(&paper, &state.model)
        .into_iter()
        .map(|mut found| {
            found.key.insert_str(0, "model.");
            found
        });
    let recipe = differences(&Recipe::default(), &state.recipe);
    let rows = recipe.into_iter().chain(network);
    rows.map(|found| vec![code(&found.key), plain(&found.first), plain(&found.second)])
        .collect()
}

/// Their table.
pub(super) fn difference_table(subject: &Subject<'_>) -> String {
    let mut text = "## Differences from the paper\n\n".to_owned();
    if !subject.is_trained() {
        return text + "Unknown, as the training is.\n";
    }
    let rows = differences_from_the_paper(subject);
    if rows.is_empty() {
        text += "No value of the recipe and the network differs from the paper's.\n";
    } else {
        text += &table(&["value", "the paper's", "here"], &rows);
    }
    text += "\nWhere the paper is silent, Shardmill follows the authors' released source; its documentation \
             lists these choices.\n";
    text
}

/// What the weights are not for.
pub(super) fn limits(subject: &Subject<'_>) -> String {
    format!(
        "## What it is not for\n\nThis is a network of 2012 for study and teaching; later ones make far fewer \
         errors at the same cost.\n\
         It names one of its {} classes for every image, whatever the image shows, and its probabilities are \
         not calibrated.\n\
         It was not tested on images unlike its data, nor for unequal errors between groups of people or \
         places.\n\
         Do not use it where a wrong answer harms someone.\n",
        subject.state.classes.len()
    )
}
