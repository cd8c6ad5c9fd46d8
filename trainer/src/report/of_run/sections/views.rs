//! Ten views against the centre view, beside the paper's Table 1.

use maud::{Markup, html};
use shardmill_loader::Dataset;

use super::super::findings::Findings;
use crate::analysis::Prediction;
use crate::report::page::{Block, Column, Table};
use crate::report::paper::{PAPER_ROWS, PaperErrors};
use crate::report::text::{grouped, name};
use crate::run::View;

pub(in crate::report) fn blocks(judged: &Dataset, findings: &Findings) -> Vec<Block> {
    let predictions = &findings.predictions;
    let of = |view: View| {
        let found = findings.scores.iter().find(|found| found.view == view);
        found.map(|found| PaperErrors {
            top1: found.scores.top1_error,
            top5: found.scores.top5_error,
        })
    };
    let classes = judged.classes().len();
    let own = format!(
        "this run, after epoch {}: {} images of split {}, {classes} classes",
        predictions.epoch,
        grouped(predictions.items.len() as u64),
        name(judged.split())
    );
    let mut rows = vec![row(
        html! { b { (own) } },
        of(View::Center),
        of(View::Ten),
        2,
    )];
    let guessed = Some(guessing(&predictions.items, classes));
    let most = classes.min(5);
    rows.push(row(
        html! { "guessing: always the most frequent class; top-5: the " (most) " most frequent of " (classes) },
        guessed,
        guessed,
        2,
    ));
    rows.extend(PAPER_ROWS.iter().map(|paper| {
        row(
            html! { "the paper: " (paper.what) },
            paper.center,
            paper.ten,
            1,
        )
    }));
    let gain = of(View::Center).zip(of(View::Ten));
    let table = Block::Table(Table {
        caption: html! {
            "Errors in percent from the centre view and from ten (four corners, the centre, and their mirror images, \
             softmax outputs averaged). The rows of the paper are the paper's own results on other data, not of this run. \
             Rows with another number of classes cannot be compared: guessing is wrong in 99.9% of a thousand classes and in \
             90% of ten, if all are equally frequent."
        },
        head: vec![
            Column::wide("network and images"),
            Column::numbers("centre, top-1"),
            Column::numbers("centre, top-5"),
            Column::numbers("ten, top-1"),
            Column::numbers("ten, top-5"),
        ],
        rows,
    });
    let said = Block::Prose(html! {
        @if let Some((center, ten)) = gain {
            p {
                "Ten views change the top-1 error of this run by " (signed(ten.top1 - center.top1))
                " points"
                @if classes > 5 { " and the top-5 error by " (signed(ten.top5 - center.top5)) }
                "; in the paper it is −1.5 and −1.3 points."
                @if classes < 6 { " With fewer than six classes the top-5 error means nothing." }
            }
        }
        p {
            "The lowest error over all evaluations of one split, which the best checkpoint has, is optimistic: it was \
             chosen on the images that it is measured on. On new images it may well be larger."
        }
    });
    vec![table, said]
}

/// The errors of whoever always guesses the classes that are most frequent among the images.
fn guessing(items: &[Prediction], classes: usize) -> PaperErrors {
    let mut counts = vec![0_usize; classes];
    for item in items {
        if let Some(count) = counts.get_mut(item.label) {
            *count += 1;
        }
    }
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let error = |guesses: usize| {
        let right: usize = counts.iter().take(guesses).sum();
        100.0 * (1.0 - right as f64 / items.len().max(1) as f64)
    };
    PaperErrors {
        top1: error(1),
        top5: error(5),
    }
}

/// A change with its sign.
fn signed(change: f64) -> String {
    format!("{change:+.2}").replace('-', "−")
}

fn row(
    what: Markup,
    center: Option<PaperErrors>,
    ten: Option<PaperErrors>,
    digits: usize,
) -> Vec<Markup> {
    let cell = |value: Option<f64>| match value {
        Some(value) => html! { (format!("{value:.digits$}")) },
        None => html! { "–" },
    };
    let mut cells = vec![what];
    for errors in [center, ten] {
        cells.push(cell(errors.map(|errors| errors.top1)));
        cells.push(cell(errors.map(|errors| errors.top5)));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::{Prediction, guessing};

    #[test]
    fn guessing_names_the_most_frequent_classes() {
        let item = |label: usize| Prediction {
            sample: 0,
            label,
            rank: 0,
            top: Vec::new(),
            label_probability: 1.0,
        };
        // Of 10 images, 4 are of class 6; the five most frequent classes have 8.
        let labels = [6, 6, 6, 6, 0, 1, 2, 3, 4, 5];
        let items: Vec<Prediction> = labels.into_iter().map(item).collect();
        let errors = guessing(&items, 7);
        assert!((errors.top1 - 60.0).abs() < 1e-9, "{}", errors.top1);
        assert!((errors.top5 - 20.0).abs() < 1e-9, "{}", errors.top5);
    }
}
