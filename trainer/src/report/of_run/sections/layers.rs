//! The network's layer table.

use maud::html;

use super::super::material::Material;
use crate::net::config::ModelConfigError;
use crate::net::shape::PoolKind;
use crate::report::page::{Block, Column, Table};
use crate::tools::summary::{Summary, grouped, sizes};

/// # Errors
/// A configuration that describes no network.
pub(in crate::report) fn blocks(material: &Material) -> Result<Vec<Block>, ModelConfigError> {
    let mut blocks = Vec::new();
    match material.model() {
        Some(model) => {
            let summary = Summary::of(model)?;
            let mut rows: Vec<Vec<maud::Markup>> = summary
                .layers
                .iter()
                .map(|row| {
                    let groups = match (row.groups > 1, row.is_cut_norm()) {
                        (true, false) => format!(", {} groups", row.groups),
                        (true, true) => format!(", within {} columns", row.groups),
                        (false, _) => String::new(),
                    };
                    vec![
                        html! { (row.layer) },
                        html! { (sizes(&row.input)) },
                        html! {
                            (sizes(&row.filter)) (groups)
                            @if row.pool == Some(PoolKind::Average) { ", mean" }
                        },
                        html! { (grouped(row.stride as u64)) },
                        html! { (sizes(&row.output)) },
                        html! { (grouped(row.parameters)) },
                        html! { (grouped(row.multiply_adds)) },
                        html! { (grouped(row.neurons)) },
                    ]
                })
                .collect();
            let sums = [summary.parameters, summary.multiply_adds, summary.neurons];
            let mut total = vec![html! { b { "total" } }];
            total.extend((0..4).map(|_| html! {}));
            total.extend(sums.map(|sum| html! { b { (grouped(sum)) } }));
            rows.push(total);
            blocks.push(Block::Table(Table {
                caption: html! {
                    "The layers for one image, as " code { "train summary" } " prints them: sides and channels, the \
                     window and channels that an output sees, weights and biases, multiplications with their additions \
                     of a forward pass, and outputs of layers with weights."
                },
                head: vec![
                    Column::words("layer"),
                    Column::words("input"),
                    Column::words("filter"),
                    Column::numbers("stride"),
                    Column::words("output"),
                    Column::numbers("parameters"),
                    Column::numbers("multiply-adds"),
                    Column::numbers("neurons"),
                ],
                rows,
            }));
        }
        None => blocks.push(Block::Missing(
            "The layers: the log has lost its first line, and there is no checkpoint that says what the network is."
                .to_owned(),
        )),
    }
    Ok(blocks)
}
