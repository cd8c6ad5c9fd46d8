//! The paper's Fig. 4, left: images with the network's first guesses.

use maud::{Markup, html};
use shardmill_formats::{Class, Stream};
use shardmill_loader::Dataset;

use super::super::draw::{drawn, seed};
use super::super::findings::Findings;
use super::super::material::Material;
use super::dataset::{class_name, short_name};
use crate::analysis::Prediction;
use crate::report::page::{Block, Figure};
use crate::report::photo::{PhotoError, photo};
use crate::report::text::name;

/// Images that are right, images that are wrong, and their side in pixels.
const SHOWN: usize = 8;
const SIDE: usize = 128;

/// Classes among which an image's own must be.
const TOP: usize = 5;

/// # Errors
/// A record that is damaged.
pub(in crate::report) fn blocks(
    material: &Material,
    judged: &Dataset,
    findings: &Findings,
) -> Result<Vec<Block>, PhotoError> {
    let items = &findings.predictions.items;
    let classes = judged.classes();
    // With few classes nearly every image has its own among the first five.
    let top = if classes.len() > TOP { TOP } else { 1 };
    let mut blocks = Vec::new();
    if top == 1 {
        blocks.push(Block::Prose(html! {
            p.note {
                "With " (classes.len()) " classes an image's own is always among the first five, so a top-5 error means \
                 nothing here. “Right” means that the first guess is right, and “wrong” that it is not."
            }
        }));
    }
    if !material.images {
        blocks.push(Block::Missing(
            "Images with their first guesses: the page was made with --no-images.".to_owned(),
        ));
    } else {
        let right = drawn(
            items.iter().filter(|item| item.rank == 0),
            SHOWN,
            seed(items, Stream::Plan),
        );
        blocks.push(figure(
            judged,
            &right,
            html! {
                "Images of split " (name(judged.split())) " that the network is right about, drawn at random, of different \
                 classes where there are enough: the true class, and the first guesses with their probabilities. The true \
                 class is coloured."
            },
            "The network is right about no image.",
        )?);
        let mut wrong: Vec<&Prediction> = items.iter().filter(|item| item.rank >= top).collect();
        let total = wrong.len();
        wrong.sort_by(|a, b| a.label_probability.total_cmp(&b.label_probability));
        wrong.truncate(SHOWN);
        blocks.push(figure(
            judged,
            &wrong,
            html! {
                "The worst: of the " (total) " images whose class is "
                @if top == 1 { "not the first guess" } @else { "not among the first five" }
                ", those whose class has the least probability. Are the errors understandable?"
            },
            match top {
                1 => "The first guess is right for every image.",
                _ => "Every image has its class among the first five.",
            },
        )?);
    }
    Ok(blocks)
}

fn figure(
    judged: &Dataset,
    items: &[&Prediction],
    caption: Markup,
    none: &str,
) -> Result<Block, PhotoError> {
    if items.is_empty() {
        return Ok(Block::Prose(html! { p { (none) } }));
    }
    let mut cards = Vec::new();
    for item in items {
        cards.push(card(judged, item)?);
    }
    Ok(Block::Figure(Figure::new(
        html! { div.cards { @for card in &cards { (card) } } },
        caption,
    )))
}

/// A probability in percent, with a digit more where it is small.
fn share(probability: f64) -> String {
    let percent = 100.0 * probability;
    match percent < 1.0 {
        true => format!("{percent:.1}%"),
        false => format!("{percent:.0}%"),
    }
}

/// An image, its class, and a bar for each guess.
fn card(judged: &Dataset, item: &Prediction) -> Result<Markup, PhotoError> {
    let classes: &[Class] = judged.classes();
    let text = class_name(&classes[item.label]);
    let picture = photo(judged, item.sample, SIDE, text.clone())?;
    Ok(html! {
        div.card title=(crate::report::text::line(judged.key(item.sample))) {
            (picture)
            p.label { (short_name(&classes[item.label])) }
            ol.bars {
                @for guess in &item.top {
                    li class=[(guess.label == item.label).then_some("own")] {
                        span.bar style=(format!("width:{:.1}%", 100.0 * guess.probability)) {}
                        span.guess { (short_name(&classes[guess.label])) }
                        span.share { (share(guess.probability)) }
                    }
                }
            }
        }
    })
}
