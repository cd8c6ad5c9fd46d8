//! The curves of a comparison.

use maud::html;

use crate::report::chart::{
    Axis, Chart, Colour, Point, Scale, Series, Size, Stroke, lines, number,
};
use crate::report::compare::run::ComparedRun;
use crate::report::page::{Block, Figure};
use crate::report::text;
use crate::report::thin::thinned;
use crate::run::View;
use crate::run::log::{EvaluationPoint, StepPoint};

/// Most points of a curve.
const MOST: usize = 150;

/// A quantity, from the lines of training and from evaluations.
struct Quantity {
    id: &'static str,
    label: &'static str,
    scale: Scale,
    training: fn(&StepPoint) -> f64,
    validation: Option<fn(&EvaluationPoint) -> f64>,
    /// Guesses that an error allows for.
    guesses: Option<usize>,
}

const QUANTITIES: [Quantity; 4] = [
    Quantity {
        id: "loss",
        label: "loss",
        scale: Scale::Linear,
        training: |point| point.loss,
        validation: Some(|point| point.scores.loss),
        guesses: None,
    },
    Quantity {
        id: "top1",
        label: "top-1 error, %",
        scale: Scale::Linear,
        training: |point| point.top1_error,
        validation: Some(|point| point.scores.top1_error),
        guesses: Some(1),
    },
    Quantity {
        id: "top5",
        label: "top-5 error, %",
        scale: Scale::Linear,
        training: |point| point.top5_error,
        validation: Some(|point| point.scores.top5_error),
        guesses: Some(5),
    },
    Quantity {
        id: "rate",
        label: "learning rate",
        scale: Scale::Logarithmic,
        training: |point| point.lr,
        validation: None,
        guesses: None,
    },
];

/// Every quantity over epochs and over steps, side by side.
pub(super) fn blocks(runs: &[ComparedRun]) -> Vec<Block> {
    let rows = QUANTITIES.iter().map(|quantity| {
        let figures = [true, false].map(|by_epochs| figure(runs, quantity, by_epochs));
        Block::Row(figures.into())
    });
    rows.collect()
}

fn figure(runs: &[ComparedRun], quantity: &Quantity, by_epochs: bool) -> Figure {
    let over = if by_epochs { "epochs" } else { "steps" };
    let mut all = Vec::new();
    let mut joined = 1;
    for (place, run) in runs.iter().enumerate() {
        let unit = if by_epochs {
            run.steps_per_epoch()
        } else {
            1.0
        };
        let at = |step: u64| step as f64 / unit;
        let steps = run.history.steps.iter();
        let points: Vec<Point> = steps
            .map(|point| Point::new(at(point.step), (quantity.training)(point)))
            .collect();
        let short = thinned(&points, MOST);
        joined = joined.max(short.joined);
        all.push(Series {
            colour: Colour::Series(place),
            points: titled(short.points, &run.name, over),
            ..Series::default()
        });
        let Some(value) = quantity.validation else {
            continue;
        };
        let center = run
            .history
            .evaluations
            .iter()
            .filter(|e| e.views == View::Center);
        let points: Vec<Point> = center
            .map(|point| Point::new(at(point.step), value(point)))
            .collect();
        if !points.is_empty() {
            let name = format!("{}, validation", run.name);
            all.push(Series {
                colour: Colour::Series(place),
                stroke: Stroke::Dashed,
                points: titled(thinned(&points, MOST).points, &name, over),
                ..Series::default()
            });
        }
    }
    let guessed = quantity.guesses.and_then(|guesses| guessing(runs, guesses));
    if let Some(error) = guessed {
        let places = all.iter().flat_map(|one| &one.points).map(|point| point.x);
        let last = places.fold(0.0, f64::max);
        let points = [0.0, last].map(|x| Point {
            title: Some(format!("guessing: {}%", number(error))),
            ..Point::new(x, error)
        });
        all.push(Series {
            colour: Colour::Muted,
            points: points.into(),
            ..Series::default()
        });
    }
    let id = format!("compare-{}-{over}", quantity.id);
    let alt = format!("{} of every run over {over}", quantity.label);
    let chart = Chart {
        id: &id,
        alt: &alt,
        x: Axis {
            label: over,
            low: Some(0.0),
            ..Axis::default()
        },
        y: Axis {
            label: quantity.label,
            scale: quantity.scale,
            ..Axis::default()
        },
        size: Size::default(),
    };
    // Names of any length and number have room here, but not beside the axes.
    let caption = html! {
        @for (place, run) in runs.iter().enumerate() {
            span style=(format!("color: {}", Colour::Series(place).css())) { "■ " }
            (text::name(&run.name)) " "
        }
        br;
        (capital(quantity.label)) " over " (over) "."
        @if quantity.validation.is_some() {
            " Solid: training, with dropout and augmentation; dashed: validation, centre view."
        }
        @if let Some(error) = guessed {
            " Grey: guessing, with all classes equally frequent: " (number(error)) "%."
        }
        @if joined > 1 { " A point is the mean of up to " (joined) " log lines." }
    };
    Figure::chart(&lines(&chart, &all), caption)
}

/// The error in percent of whoever guesses, if all classes are equally frequent; `None` where the runs' numbers of
/// classes are not known or not the same.
fn guessing(runs: &[ComparedRun], guesses: usize) -> Option<f64> {
    let classes = |run: &ComparedRun| Some(run.history.start.as_ref()?.classes);
    let first = classes(runs.first()?)?;
    let same = runs.iter().all(|run| classes(run) == Some(first));
    let right = guesses.min(first) as f64 / first.max(1) as f64;
    same.then_some(100.0 * (1.0 - right))
}

/// The text with its first letter as a capital.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Points that say on hover whose they are.
fn titled(mut points: Vec<Point>, name: &str, over: &str) -> Vec<Point> {
    for point in &mut points {
        let (x, y) = (number(point.x), number(point.y));
        point.title = Some(format!("{name}, {over} {x}: {y}"));
    }
    points
}
