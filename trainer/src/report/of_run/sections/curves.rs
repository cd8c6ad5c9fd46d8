//! Loss, errors and the learning rate over epochs and steps.

use maud::{Markup, html};

use super::super::material::Material;
use super::over::{MOST, Over, marked, of_steps, series, thin};
use super::pace::speed;
use super::warnings::warnings;
use crate::report::chart::{Axis, Chart, Colour, Point, Scale, Series, Size, Stroke, lines};
use crate::report::page::{Block, Figure};
use crate::report::text::name;
use crate::report::thin::thinned;
use crate::run::View;
use crate::run::log::{EvaluationPoint, History};

/// Height of a learning rate's chart, which lies under another one.
const RATE_HEIGHT: f64 = 150.0;

/// Falls of the learning rate from which on its axis is logarithmic.
const WIDE: f64 = 5.0;

pub(in crate::report) fn blocks(material: &Material) -> Vec<Block> {
    let history = &material.history;
    let mut blocks = Vec::new();
    if history.steps.is_empty() && history.epochs.is_empty() {
        blocks.push(Block::Missing(
            "The curves: the log holds no step yet; `train` writes a line every 20 steps."
                .to_owned(),
        ));
    } else {
        if history.epochs.is_empty() {
            blocks.push(Block::Missing(
                "Curves over epochs: no epoch was finished. The curves over steps follow."
                    .to_owned(),
            ));
        } else {
            blocks.push(Block::Row(over_epochs(history)));
        }
        if history.steps.is_empty() {
            blocks.push(Block::Missing(
                "Curves over steps: the log holds no line of steps.".to_owned(),
            ));
        } else {
            blocks.push(Block::Row(over_steps(history)));
            blocks.push(Block::Row(speed(history)));
        }
        if validated(history).next().is_none() {
            blocks.push(Block::Prose(html! {
                p {
                    @match history.start.as_ref().map(|start| &start.val_split) {
                        Some(None) => "The run has no validation split, so all curves are of training.",
                        _ => "No evaluation is in the log, so all curves are of training.",
                    }
                }
            }));
        }
    }
    blocks.extend(warnings(history));
    blocks
}

/// Evaluations from the centre view.
fn validated(history: &History) -> impl Iterator<Item = &EvaluationPoint> {
    history
        .evaluations
        .iter()
        .filter(|point| point.views == View::Center)
}

/// The split of the evaluations, for legends.
fn split(history: &History) -> String {
    validated(history)
        .next()
        .map_or_else(String::new, |point| name(&point.split))
}

/// A chart with the learning rate beneath it.
fn above_rate(
    over: Over,
    what: &str,
    axis: Axis<'_>,
    above: &[Series],
    rate: Vec<Point>,
    caption: Markup,
) -> Figure {
    let alt = format!("{} over {}", axis.label, over.id);
    let chart = lines(
        &Chart {
            id: &format!("{what}-{}", over.id),
            alt: &alt,
            x: over.axis(),
            y: axis,
            size: Size::default(),
        },
        above,
    );
    let rates: Vec<f64> = rate
        .iter()
        .map(|point| point.y)
        .filter(|rate| *rate > 0.0)
        .collect();
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let is_wide = rates.iter().any(|rate| *rate > WIDE * least);
    let beneath = lines(
        &Chart {
            id: &format!("{what}-{}-rate", over.id),
            alt: &format!("learning rate over {}", over.id),
            x: over.axis(),
            y: Axis {
                label: "learning rate",
                scale: if is_wide {
                    Scale::Logarithmic
                } else {
                    Scale::Linear
                },
                low: (!is_wide).then_some(0.0),
                ..Axis::default()
            },
            size: Size {
                height: RATE_HEIGHT,
                ..Size::default()
            },
        },
        &[series("", 5, rate)],
    );
    let omitted = chart.omitted + beneath.omitted;
    Figure::charts(&[&chart, &beneath], caption, omitted)
}

fn over_epochs(history: &History) -> Vec<Figure> {
    let last = history.epochs.last().map_or(1, |point| point.epoch);
    let over = Over {
        id: "epochs",
        label: "epoch",
        high: (last as f64).max(1.0),
    };
    let split = split(history);
    let rate = || {
        let points = history.epochs.iter();
        points
            .map(|point| Point::new(point.epoch as f64, point.lr))
            .collect()
    };
    let trained = |value: fn(&crate::run::log::EpochPoint) -> f64| {
        let points = history.epochs.iter();
        points
            .map(|point| Point::new(point.epoch as f64, value(point)))
            .collect()
    };
    let judged = |value: fn(&EvaluationPoint) -> f64| -> Vec<Point> {
        validated(history)
            .map(|point| Point::new(point.epoch as f64, value(point)))
            .collect()
    };
    let loss = [
        marked("training", 0, trained(|point| point.loss)),
        marked(split.clone(), 1, judged(|point| point.scores.loss)),
    ];
    let errors = [
        marked("training, top-1", 0, trained(|point| point.top1_error)),
        marked("training, top-5", 2, trained(|point| point.top5_error)),
        marked(
            format!("{split}, top-1"),
            1,
            judged(|point| point.scores.top1_error),
        ),
        marked(
            format!("{split}, top-5"),
            4,
            judged(|point| point.scores.top5_error),
        ),
    ];
    let guessing = validated(history)
        .filter_map(|point| Some(Point::new(point.epoch as f64, point.guessing_top1_error?)));
    let guessing = Series {
        colour: Colour::Muted,
        stroke: Stroke::Dashed,
        ..series("", 0, guessing.collect())
    };
    let has = |series: &&Series| !series.points.is_empty();
    let loss: Vec<Series> = loss.iter().filter(has).cloned().collect();
    let errors: Vec<Series> = errors
        .iter()
        .chain([&guessing])
        .filter(has)
        .cloned()
        .collect();
    vec![
        above_rate(
            over,
            "loss",
            Axis {
                label: "loss",
                ..Axis::default()
            },
            &loss,
            rate(),
            html! {
                "Mean cross-entropy (in nats) of each epoch, with the learning rate beneath. Training is measured while \
                 the weights change, on cropped, mirrored and recoloured images and with dropout; an evaluation uses the \
                 centre view and the weights at the end of the epoch, so it can be lower."
            },
        ),
        above_rate(
            over,
            "errors",
            Axis {
                label: "error in %",
                low: Some(0.0),
                ..Axis::default()
            },
            &errors,
            rate(),
            html! {
                "Share of images whose class is not the first (top-1) or not among the first five (top-5)."
                @if history.start.as_ref().is_some_and(|start| start.classes < 6) {
                    " With fewer than six classes the top-5 error is 0 and says nothing."
                }
                @if let Some(guessing) = validated(history).find_map(|point| point.guessing_top1_error) {
                    " The dashed line is the top-1 error of calling every image the most frequent class, "
                    (format!("{guessing:.1}%")) "."
                }
            },
        ),
    ]
}

fn over_steps(history: &History) -> Vec<Figure> {
    let last = history.steps.last().map_or(1, |point| point.step);
    let over = Over {
        id: "steps",
        label: "step",
        high: last as f64,
    };
    let split = split(history);
    let judged = |value: fn(&EvaluationPoint) -> f64| -> Vec<Point> {
        validated(history)
            .map(|point| Point::new(point.step as f64, value(point)))
            .collect()
    };
    let rate = || thinned(&of_steps(history, |point| point.lr), MOST).points;
    let (loss, note) = thin(history, "training", 0, |point| point.loss);
    let (top1, _) = thin(history, "training, top-1", 0, |point| point.top1_error);
    let (top5, _) = thin(history, "training, top-5", 2, |point| point.top5_error);
    let has = |series: &Series| !series.points.is_empty();
    let losses = [
        loss,
        marked(split.clone(), 1, judged(|point| point.scores.loss)),
    ];
    let errors = [
        top1,
        top5,
        marked(
            format!("{split}, top-1"),
            1,
            judged(|point| point.scores.top1_error),
        ),
        marked(
            format!("{split}, top-5"),
            4,
            judged(|point| point.scores.top5_error),
        ),
    ];
    let losses: Vec<Series> = losses.into_iter().filter(has).collect();
    let errors: Vec<Series> = errors.into_iter().filter(has).collect();
    vec![
        above_rate(
            over,
            "loss",
            Axis {
                label: "loss",
                ..Axis::default()
            },
            &losses,
            rate(),
            html! { "The loss over steps: each value is the mean of a line of the log. " (note) },
        ),
        above_rate(
            over,
            "errors",
            Axis {
                label: "error in %",
                low: Some(0.0),
                ..Axis::default()
            },
            &errors,
            rate(),
            html! { "The errors over steps, likewise. " (note) },
        ),
    ]
}
