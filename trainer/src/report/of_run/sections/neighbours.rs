//! The paper's Fig. 4, right: images with the training images whose features are nearest.

use maud::html;
use shardmill_formats::Stream;
use shardmill_loader::Dataset;

use super::super::draw::{drawn, seed};
use super::super::findings::{Findings, NEIGHBOURS};
use super::super::material::{Data, Material};
use super::dataset::{class_name, short_name};
use crate::report::page::{Block, Column, Figure, Table};
use crate::report::photo::{PhotoError, photo};
use crate::report::text::{grouped, name};

/// Images whose neighbours are shown, and their side in pixels.
const SHOWN: usize = 5;
const SIDE: usize = 96;

/// # Errors
/// A record that is damaged.
pub(in crate::report) fn blocks(
    material: &Material,
    data: &Data,
    judged: &Dataset,
    findings: &Findings,
) -> Result<Vec<Block>, PhotoError> {
    let mut blocks = Vec::new();
    match &findings.neighbours {
        Err(reason) => blocks.push(Block::Missing(format!(
            "Nearest training images: {reason}."
        ))),
        Ok(found) => {
            let agreement = &found.agreement;
            blocks.push(Block::Prose(html! {
                p {
                    "An image's features are its " (found.len) " values of " (found.layer) " from the centre view. For each \
                     of the " (grouped(agreement.queries as u64)) " images of split " (name(judged.split()))
                    ", the nearest of the " (grouped(agreement.base as u64)) " training images by Euclidean distance were \
                     found, exactly."
                }
            }));
            let mut rows: Vec<_> = agreement
                .counts
                .iter()
                .zip(&agreement.shares)
                .map(|(count, share)| {
                    let what = match count {
                        1 => "the nearest image".to_owned(),
                        count => format!("the {count} nearest images"),
                    };
                    vec![html! { (what) }, html! { (percent(*share)) }]
                })
                .collect();
            rows.push(vec![
                html! { "images chosen at random" },
                html! { (percent(agreement.chance)) },
            ]);
            blocks.push(Block::Table(Table {
                caption: html! {
                    "How often neighbours are of the image's own class, over all images of split " (name(judged.split()))
                    "."
                },
                head: vec![Column::words("neighbours"), Column::numbers("of the same class")],
                rows,
            }));
            if material.images {
                blocks.push(pictures(data, judged, findings, &found.lists)?);
            } else {
                blocks.push(Block::Missing(
                    "Images with their neighbours: the page was made with --no-images.".to_owned(),
                ));
            }
        }
    }
    Ok(blocks)
}

fn percent(share: f64) -> String {
    match share.is_finite() {
        true => format!("{:.1}%", 100.0 * share),
        false => "–".to_owned(),
    }
}

fn pictures(
    data: &Data,
    judged: &Dataset,
    findings: &Findings,
    lists: &[Vec<crate::analysis::Neighbour>],
) -> Result<Block, PhotoError> {
    let items = &findings.predictions.items;
    let classes = judged.classes();
    let mut rows = Vec::new();
    for item in drawn(items.iter(), SHOWN, seed(items, Stream::Order)) {
        let text = class_name(&classes[item.label]);
        let query = photo(judged, item.sample, SIDE, text)?;
        let mut near = Vec::new();
        for neighbour in lists.get(item.sample as usize).into_iter().flatten() {
            let label = usize::try_from(data.train.label(neighbour.row as u64)).ok();
            let same = label == Some(item.label);
            let class = label.and_then(|label| classes.get(label));
            let alt = format!(
                "{}, distance {:.1}",
                class.map_or_else(|| "no label".to_owned(), class_name),
                neighbour.distance
            );
            near.push((
                same,
                alt.clone(),
                photo(&data.train, neighbour.row as u64, SIDE, alt)?,
            ));
        }
        rows.push(html! {
            div.query {
                p { (short_name(&classes[item.label])) }
                span.photo { (query) }
                div.photos {
                    @for (same, alt, picture) in &near {
                        span.photo.same[*same].framed[!*same] title=(alt) { (picture) }
                    }
                }
            }
        });
    }
    Ok(Block::Figure(Figure::new(
        html! { div.queries { @for row in &rows { (row) } } },
        html! {
            "Images of split " (name(judged.split())) ", drawn at random from different classes, each with the "
            (NEIGHBOURS) " training images whose features are nearest, the nearest first. A green frame: of the same class; \
             a red one: of another. In the paper's figure, too, the pixels of neighbours are often far apart."
        },
    )))
}
