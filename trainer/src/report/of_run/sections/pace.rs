//! Throughput, and the time that training waits for images.

use maud::html;

use super::over::{Over, thin};
use crate::report::chart::{Axis, Chart, Size, lines};
use crate::report::page::Figure;
use crate::run::log::{History, StepPoint};

/// Both over steps.
pub(super) fn speed(history: &History) -> Vec<Figure> {
    let last = history.steps.last().map_or(1, |point| point.step) as f64;
    let over = Over {
        id: "steps",
        label: "step",
        high: last,
    };
    let chart = |id: &str, axis: Axis<'_>, value: fn(&StepPoint) -> f64, caption: &str| {
        let (series, note) = thin(history, "", 0, value);
        let svg = lines(
            &Chart {
                id,
                alt: &format!("{} over steps", axis.label),
                x: over.axis(),
                y: axis,
                size: Size {
                    height: 220.0,
                    ..Size::default()
                },
            },
            &[series],
        );
        Figure::chart(&svg, html! { (caption) " " (note) })
    };
    vec![
        chart(
            "throughput",
            Axis {
                label: "images per second",
                low: Some(0.0),
                ..Axis::default()
            },
            |point| point.images_per_second,
            "Throughput of training.",
        ),
        chart(
            "wait",
            Axis {
                label: "waiting, % of the time",
                low: Some(0.0),
                ..Axis::default()
            },
            |point| 100.0 * point.data_wait,
            "Share of the time in which training waited for images: the loader's part. Much more than 0 means that \
             more threads, or faster storage, would help.",
        ),
    ]
}
