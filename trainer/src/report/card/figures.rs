//! What was measured, beside chance and the paper.

use crate::net::scores::Scores;
use crate::report::card::Subject;
use crate::report::card::markdown::{plain, table};
use crate::report::paper::PAPER_ROWS;
use crate::report::text::grouped;
use crate::run::View;

/// An evaluation of exactly these weights.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) split: String,
    pub(super) views: View,
    pub(super) scores: Scores,
}

/// The evaluations of these weights: the last of each kind of views at the checkpoint's step.
pub(super) fn rows(subject: &Subject<'_>) -> Vec<Row> {
    let progress = &subject.state.progress;
    let mut rows: Vec<Row> = Vec::new();
    let evaluations = subject
        .history
        .map(|history| history.evaluations.as_slice());
    for point in evaluations.unwrap_or_default() {
        if point.step != progress.step {
            continue;
        }
        rows.retain(|row| row.views != point.views);
        rows.push(Row {
            split: point.split.clone(),
            views: point.views,
            scores: point.scores,
        });
    }
    // Without the log the checkpoint knows its own scores, if it was validated at that step.
    if rows.is_empty()
        && subject.history.is_none()
        && progress.samples == 0
        && let Some(scores) = progress.center
    {
        let split = subject.state.recipe.val_split.as_deref().unwrap_or("val");
        rows.push(Row {
            split: split.to_owned(),
            views: View::Center,
            scores,
        });
    }
    rows
}

/// The table of errors.
pub(super) fn figures(subject: &Subject<'_>) -> String {
    let rows = rows(subject);
    let mut text = "## Figures\n\n".to_owned();
    if rows.is_empty() {
        text += "These weights were not evaluated when they were saved; `train eval` measures them.\n\n";
    }
    let mut cells: Vec<Vec<String>> = Vec::new();
    for row in &rows {
        cells.push(vec![
            "these weights".to_owned(),
            plain(&row.split),
            grouped(row.scores.samples),
            row.views.name().to_owned(),
            format!("{:.2}%", row.scores.top1_error),
            format!("{:.2}%", row.scores.top5_error),
        ]);
    }
    cells.push(chance(subject, &rows));
    for paper in &PAPER_ROWS {
        for (views, errors) in [(View::Center, paper.center), (View::Ten, paper.ten)] {
            if let Some(errors) = errors {
                cells.push(vec![
                    "the paper's network, as the paper gives it".to_owned(),
                    paper.what.to_owned(),
                    String::new(),
                    views.name().to_owned(),
                    format!("{:.1}%", errors.top1),
                    format!("{:.1}%", errors.top5),
                ]);
            }
        }
    }
    text += &table(
        &[
            "whose",
            "images",
            "number",
            "views",
            "top-1 error",
            "top-5 error",
        ],
        &cells,
    );
    text += "\nThe paper's figures were not measured here; compare them only with errors on the same images.\n";
    text +=
        "Several views are averaged: ten are the corners, the centre and their mirror images.\n";
    if !rows.is_empty() && !rows.iter().any(|row| row.views == View::Ten) {
        text += "Ten views of these weights were not measured; `train eval` does so.\n";
    }
    text
}

/// The error of guessing.
fn chance(subject: &Subject<'_>, rows: &[Row]) -> Vec<String> {
    let classes = subject.state.classes.len();
    let uniform = |of: usize| 100.0 * classes.saturating_sub(of) as f64 / classes.max(1) as f64;
    let logged = subject
        .history
        .and_then(|history| history.evaluations.last());
    let most_frequent = logged.and_then(|point| point.guessing_top1_error);
    let (whose, top1) = match most_frequent {
        Some(error) => ("always the most frequent class", error),
        None => ("guessing evenly", uniform(1)),
    };
    let split = rows.first().map_or(String::new(), |row| plain(&row.split));
    let top5 = match most_frequent {
        Some(_) => String::new(),
        None => format!("{:.2}%", uniform(5)),
    };
    vec![
        whose.to_owned(),
        split,
        String::new(),
        String::new(),
        format!("{top1:.2}%"),
        top5,
    ]
}
