//! The head of a page: what was trained on what, and how it went.

use maud::{Markup, html};
use shardmill_formats::counted;

use super::super::material::Material;
use crate::net::config::Variant;
use crate::net::scores::Scores;
use crate::report::text::{coded, duration, grouped, name};
use crate::run::View;
use crate::run::log::{EvaluationPoint, History};
use crate::tools::summary::Summary;

/// How a run went, in figures.
#[derive(Clone, Debug, Default)]
pub(in crate::report) struct Overview {
    /// Whole epochs of training.
    pub(in crate::report) epochs: u64,
    /// Epochs that the run set out to do.
    pub(in crate::report) planned: Option<u64>,
    pub(in crate::report) steps: u64,
    /// The lowest top-1 error from the centre view.
    pub(in crate::report) best: Option<Best>,
    /// Seconds of training, over all processes that took part.
    pub(in crate::report) seconds: f64,
    pub(in crate::report) parameters: Option<u64>,
}

/// An evaluation.
#[derive(Clone, Debug)]
pub(in crate::report) struct Best {
    pub(in crate::report) epoch: u64,
    pub(in crate::report) split: String,
    pub(in crate::report) scores: Scores,
}

impl Overview {
    /// The figures of a run.
    pub(in crate::report) fn of(material: &Material) -> Self {
        let history = &material.history;
        let last = history.steps.last().map(|point| point.step);
        Self {
            epochs: history.epochs.last().map_or(0, |point| point.epoch),
            planned: material.recipe().map(|recipe| recipe.epochs),
            steps: last
                .max(history.epochs.last().map(|point| point.step))
                .unwrap_or(0),
            best: best(history),
            seconds: seconds(history),
            parameters: material
                .model()
                .and_then(|model| Summary::of(model).ok())
                .map(|summary| summary.parameters),
        }
    }

    /// Whether every epoch was trained.
    pub(in crate::report) fn is_finished(&self) -> bool {
        self.planned.is_some_and(|planned| self.epochs >= planned)
    }
}

/// The best evaluation from the centre view; of equals the first.
fn best(history: &History) -> Option<Best> {
    let center = history
        .evaluations
        .iter()
        .filter(|point| point.views == View::Center);
    let sound = center.filter(|point| point.scores.top1_error.is_finite());
    let best = sound.min_by(|a, b| a.scores.top1_error.total_cmp(&b.scores.top1_error))?;
    Some(Best {
        epoch: best.epoch,
        split: best.split.clone(),
        scores: best.scores,
    })
}

/// Seconds of all processes: a clock that goes back is that of a later process.
fn seconds(history: &History) -> f64 {
    let evaluated = |point: &EvaluationPoint| (point.step, 1, point.seconds);
    let mut clocks: Vec<(u64, u8, f64)> = history
        .steps
        .iter()
        .map(|point| (point.step, 0, point.seconds))
        .collect();
    clocks.extend(history.evaluations.iter().map(evaluated));
    clocks.retain(|clock| clock.2.is_finite());
    clocks.sort_by_key(|clock| (clock.0, clock.1));
    let (mut total, mut last) = (0.0, 0.0);
    for (_, _, clock) in clocks {
        if clock < last {
            total += last;
        }
        last = clock;
    }
    total + last
}

/// The page's title.
pub(in crate::report) fn title(material: &Material) -> String {
    let variant = material
        .model()
        .map_or("A network", |model| match model.variant {
            Variant::Alexnet => "AlexNet",
            Variant::AlexnetOwt => "AlexNet (alexnet-owt)",
            Variant::Fig1 => "The network of Fig. 1",
        });
    match material.dataset_name() {
        Some(dataset) => format!("{variant} on {}", name(&dataset)),
        None => format!("{variant}, a training run"),
    }
}

/// What stands under the title.
pub(in crate::report) fn lead(material: &Material, overview: &Overview) -> Markup {
    let start = material.history.start.as_ref();
    let planned = overview.planned.map_or_else(|| "?".to_owned(), grouped);
    let state = if overview.is_finished() {
        format!(
            "It is finished: {} of {planned} epochs.",
            grouped(overview.epochs)
        )
    } else if overview.epochs == 0 {
        format!(
            "It is not finished, and was interrupted in its first epoch or is still in it, of {planned}."
        )
    } else {
        format!(
            "It is not finished: {} of {planned} epochs; it was interrupted, or is still running.",
            grouped(overview.epochs)
        )
    };
    let width = material
        .model()
        .map(|model| model.width)
        .filter(|width| *width != 1.0);
    let chosen = material.checkpoint.as_ref().ok();
    let evaluations = material.history.evaluations.iter();
    let evaluations = evaluations
        .filter(|point| point.views == View::Center)
        .count();
    html! {
        p.lead {
            "A training run of Shardmill"
            @if let Some(start) = start {
                " on " (grouped(start.train_images)) " images of "
                (counted(start.classes as u64, "class", "classes"))
            }
            @if let Some(width) = width { ", with a network of " (width) " times the paper's width" }
            ". " (state)
        }
        ul.tiles {
            @match &overview.best {
                Some(best) => li {
                    b { (format!("{:.1}%", best.scores.top1_error)) }
                    span {
                        "lowest top-1 error of " (counted(evaluations as u64, "evaluation", "evaluations"))
                        ", centre view of " (name(&best.split)) ", epoch " (best.epoch)
                    }
                }
                None => li { b { "–" } span { "no evaluation so far" } }
            }
            @if let Some(best) = overview.best.as_ref().filter(|_| start.is_none_or(|start| start.classes > 5)) {
                li {
                    b { (format!("{:.1}%", best.scores.top5_error)) }
                    span { "top-5 error in the same evaluation" }
                }
            }
            li {
                b { (grouped(overview.epochs)) " / " (planned) }
                span { "epochs, " (grouped(overview.steps)) " steps" }
            }
            li { b { (duration(overview.seconds)) } span { "of training and evaluation" } }
            @if let Some(parameters) = overview.parameters {
                li { b { (millions(parameters)) } span { "parameters" } }
            }
        }
        @if let Some(chosen) = chosen {
            p {
                "Whatever shows weights, or the network's answers to images, is of the checkpoint "
                code { (name(&chosen.path.file_name().unwrap_or_default().to_string_lossy())) }
                ", after epoch " (chosen.state.progress.epoch) " (step " (grouped(chosen.state.progress.step)) ")."
            }
        }
        @if let Err(reason) = &material.checkpoint {
            p.note { "Without a checkpoint there are neither kernels nor answers to images: " (coded(reason)) "." }
        }
        @if let Some(note) = material.data.as_ref().ok().and_then(|data| data.note.as_ref()) {
            p.note { (coded(note)) }
        }
    }
}

/// `61.0 million`, or the number where it is smaller.
fn millions(number: u64) -> String {
    match number {
        0..1_000_000 => grouped(number),
        _ => format!("{:.1} million", number as f64 / 1e6),
    }
}
