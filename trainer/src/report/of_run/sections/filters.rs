//! Dead and duplicate filters, layer by layer.

use maud::html;

use super::super::units::Units;
use crate::net::config::Activation;
use crate::report::page::{Block, Column, Table};

pub(in crate::report) fn blocks(units: &Units) -> Vec<Block> {
    let report = &units.filters;
    let rows = report.layers.iter().map(|layer| {
        let filters = layer.active.len();
        let mean = layer.active.iter().sum::<f64>() / filters.max(1) as f64;
        vec![
            html! { (layer.layer) },
            html! { (filters) },
            html! { (layer.dead.len()) },
            html! { (layer.nearly_dead.len()) },
            html! { (format!("{:.1}%", 100.0 * mean)) },
            html! { (layer.repeated()) },
        ]
    });
    let active = match report.activation {
        Activation::Relu => "its output is not 0",
        Activation::Tanh | Activation::Sigmoid => "its activation is not saturated",
    };
    vec![Block::Table(Table {
        caption: html! {
            "The filters of each convolution, over all positions of " (report.images) " images spread over the split. A \
             filter is active where " (active) "; a dead one is active nowhere, a nearly dead one \
             somewhere, but at fewer than " (format!("{}%", 100.0 * report.nearly_dead_below)) " of the positions, so dead \
             ones are not counted again. Dead filters add nothing to any answer and, as no gradient reaches them, usually \
             stay dead: a few do no harm, many waste the layer. A repeated filter points in nearly the \
             direction of an earlier one of its group, or in the opposite one: the cosine of their angle is at least "
            (report.similarity) " in magnitude."
        },
        head: vec![
            Column::words("layer"),
            Column::numbers("filters"),
            Column::numbers("dead"),
            Column::numbers("nearly dead"),
            Column::numbers("active, mean"),
            Column::numbers("repeated"),
        ],
        rows: rows.collect(),
    })]
}
