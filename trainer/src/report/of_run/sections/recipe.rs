//! How the run was trained, and in what that departs from the paper.

use std::collections::BTreeMap;

use maud::html;

use super::super::material::Material;
use crate::recipe::difference::{differences, settings};
use crate::recipe::setup::Setup;
use crate::report::page::{Block, Column, Table};
use crate::report::text::line;

/// Values that follow from the dataset and are no choice.
const OF_THE_DATASET: [&str; 1] = ["model.classes"];

pub(in crate::report) fn blocks(material: &Material) -> Vec<Block> {
    let mut blocks = Vec::new();
    match (material.recipe(), material.model()) {
        (Some(recipe), Some(model)) => {
            let own = Setup {
                recipe: recipe.clone(),
                model: model.clone(),
            };
            let departures: BTreeMap<String, [String; 2]> = differences(&Setup::default(), &own)
                .into_iter()
                .filter(|found| !OF_THE_DATASET.contains(&&*found.key))
                .map(|found| (found.key, [found.first, found.second]))
                .collect();
            blocks.push(Block::Prose(html! { pre { (line_by_line(&recipe.to_string())) } }));
            blocks.push(departures_of(&departures));
            blocks.push(Block::Prose(html! {
                p {
                    "Beside these, the default itself follows the authors' source where that departs from the paper's \
                     text or says more: biases learn at twice the rate of weights and do not decay, conv3 to conv5 start \
                     with a standard deviation of 0.03 instead of 0.01, the response normalisation divides α by n, and \
                     the colour noise uses the square roots of the eigenvalues. “Stopped improving” in the paper's rule \
                     for the learning rate is this project's reading."
                }
            }));
            let rows = settings(&own).into_iter().map(|setting| {
                let departs = departures.contains_key(&setting.key)
                    || departures.keys().any(|key| setting.key.starts_with(&format!("{key}.")));
                vec![
                    html! { code { (line(&setting.key)) } },
                    html! { (line(&setting.text)) },
                    html! { @if departs { span.wrong { "departs" } } },
                ]
            });
            blocks.push(Block::Fold {
                summary: "Every value of the recipe and the network".to_owned(),
                blocks: vec![Block::Table(Table {
                    caption: html! { "Every value, by the keys that " code { "--set" } " takes." },
                    head: vec![
                        Column::words("value"),
                        Column::words("this run"),
                        Column::words("from the paper"),
                    ],
                    rows: rows.collect(),
                })],
            });
        }
        _ => blocks.push(Block::Missing(
            "The recipe: the log has lost its first line, and there is no checkpoint that holds it.".to_owned(),
        )),
    }
    blocks
}

/// Control characters of a split's name are escaped, line feeds stay.
fn line_by_line(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn departures_of(departures: &BTreeMap<String, [String; 2]>) -> Block {
    if departures.is_empty() {
        return Block::Prose(
            html! { p { "Nothing departs from the paper's recipe and network." } },
        );
    }
    let rows = departures.iter().map(|(key, [paper, own])| {
        vec![
            html! { code { (line(key)) } },
            html! { (line(paper)) },
            html! { (line(own)) },
        ]
    });
    Block::Table(Table {
        caption: html! {
            "What departs from the paper's recipe and network, as " code { "train recipe paper" } " prints them."
        },
        head: vec![
            Column::words("value"),
            Column::words("paper"),
            Column::words("this run"),
        ],
        rows: rows.collect(),
    })
}
