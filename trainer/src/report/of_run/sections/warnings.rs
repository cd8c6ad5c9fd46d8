//! What the log warns of, and what is wrong with the log.

use maud::html;

use crate::report::page::{Block, Column, Table};
use crate::report::text::line;
use crate::run::log::History;

/// What the log warns of, and what is wrong with the log.
pub(super) fn warnings(history: &History) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("Warnings".to_owned())];
    if history.warnings.is_empty() {
        blocks.push(Block::Prose(html! { p { "The run logged no warning." } }));
    } else {
        let rows = history.warnings.iter().map(|warning| {
            vec![
                html! { (warning.epoch) },
                html! { (warning.step) },
                html! { (line(&warning.message)) },
            ]
        });
        blocks.push(Block::Table(Table {
            caption: html! { "What the run warned of." },
            head: vec![
                Column::numbers("epoch"),
                Column::numbers("step"),
                Column::words("warning"),
            ],
            rows: rows.collect(),
        }));
    }
    if history.start.is_none() {
        blocks.push(Block::Prose(html! {
            p.note { "The log has lost its first line, which says what the run set out to do." }
        }));
    }
    if history.is_cut {
        blocks.push(Block::Prose(html! {
            p.note {
                "The log's last line has no end: the run was killed while it wrote it, or is writing it. It is left out."
            }
        }));
    }
    if history.unknown_lines > 0 {
        blocks.push(Block::Prose(html! {
            p.note {
                "Lines of the log that this version cannot read, and that are left out: " (history.unknown_lines) "."
            }
        }));
    }
    blocks
}
