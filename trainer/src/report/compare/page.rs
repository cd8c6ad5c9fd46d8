//! The page of a comparison.

use maud::{Markup, html};

use crate::report::compare::Comparison;
use crate::report::compare::curves;
use crate::report::compare::table::{HEADS, cells};
use crate::report::page::{Block, Column, Page, Section, Table};
use crate::report::text;

/// The page.
pub(super) fn page(comparison: &Comparison) -> Page {
    let names: Vec<String> = comparison
        .runs
        .iter()
        .map(|run| text::name(&run.name))
        .collect();
    let lead = html! {
        p { "Curves of " (comparison.runs.len()) " runs over each other, and what their recipes differ in." }
        @if !comparison.notes.is_empty() {
            ul { @for note in &comparison.notes { li { (text::coded(note)) } } }
        }
    };
    let mut sections = vec![Section {
        id: "runs",
        title: "The runs".to_owned(),
        blocks: vec![Block::Table(runs(comparison))],
    }];
    sections.push(Section {
        id: "differences",
        title: "What differs".to_owned(),
        blocks: vec![if comparison.differences.is_empty() {
            Block::Prose(html! { p { "No value of seed, recipe or network differs." } })
        } else {
            Block::Table(differences(comparison, &names))
        }],
    });
    sections.push(Section {
        id: "curves",
        title: "Curves".to_owned(),
        blocks: curves::blocks(&comparison.runs),
    });
    Page {
        title: format!("Comparison of {}", names.join(", ")),
        lead,
        sections,
        foot: html! {
            p { "Written by Shardmill " (env!("CARGO_PKG_VERSION")) " from the runs' " code { "metrics.jsonl" } "." }
        },
    }
}

fn runs(comparison: &Comparison) -> Table {
    let head = HEADS.iter().enumerate().map(|(place, title)| match place {
        0 => Column::words(*title),
        _ => Column::numbers(*title),
    });
    let rows = comparison.runs.iter().map(|run| {
        let cells = cells(run).into_iter();
        cells.map(|cell| html! { (cell) }).collect::<Vec<Markup>>()
    });
    Table {
        caption: html! {
            "Loss of the last whole epoch of training; errors of the validation split, top-1 / top-5 in percent, \
             from the centre view unless it says ten; the median of the speed."
        },
        head: head.collect(),
        rows: rows.collect(),
    }
}

fn differences(comparison: &Comparison, names: &[String]) -> Table {
    let mut head = vec![Column::words("value")];
    head.extend(names.iter().map(Column::words));
    let rows = comparison.differences.iter().map(|row| {
        let mut cells = vec![html! { code { (row.key) } }];
        cells.extend(row.values.iter().map(|value| match value {
            Some(value) => html! { (text::line(value)) },
            None => html! { "unknown" },
        }));
        cells
    });
    Table {
        caption: html! { "Values of the seed, the recipe and the network that are not the same in all runs." },
        head,
        rows: rows.collect(),
    }
}
