//! Ten views against the centre view, beside the paper's Table 1.

use maud::{Markup, html};
use shardmill_loader::Dataset;

use super::super::findings::Findings;
use crate::report::page::{Block, Column, Section, Table};
use crate::report::paper::{PAPER_ROWS, PaperErrors};
use crate::report::text::{grouped, name};
use crate::run::View;

pub(in crate::report) fn section(judged: &Dataset, findings: &Findings) -> Section {
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
        "this run, {} images of split {}, {classes} classes, after epoch {}",
        grouped(predictions.items.len() as u64),
        name(judged.split()),
        predictions.epoch
    );
    let mut rows = vec![row(
        html! { b { (own) } },
        of(View::Center),
        of(View::Ten),
        2,
    )];
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
             softmax outputs averaged). The rows of the paper are the paper's own results on other data, not of this run."
        },
        head: vec![
            Column::words("network and images"),
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
    });
    Section {
        id: "views",
        title: "Ten views and the centre view (the paper's Table 1)".to_owned(),
        blocks: vec![table, said],
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
