//! How the probability of an image's class changes as a grey square hides part of it.

use maud::html;
use shardmill_loader::Dataset;

use super::super::error::ReportError;
use super::super::units::Units;
use super::dataset::class_name;
use crate::analysis::OcclusionMap;
use crate::report::page::{Block, Figure, Section};
use crate::report::photo::photo;
use crate::report::picture::{Picture, Pixels};

/// Longest side of the photographs in pixels.
const SIDE: usize = 160;

/// Pixels of the map for each place of the square.
const ENLARGED: usize = 8;

/// Colours from a probability of 0 to one of 1: viridis at five places.
const COLOURS: [[u8; 3]; 5] = [
    [68, 1, 84],
    [59, 82, 139],
    [33, 145, 140],
    [94, 201, 98],
    [253, 231, 37],
];

/// # Errors
/// A record that is damaged.
pub(in crate::report) fn section(judged: &Dataset, units: &Units) -> Result<Section, ReportError> {
    let mut blocks = Vec::new();
    if units.maps.is_empty() {
        blocks.push(Block::Missing(
            "Occlusion maps: the page was made with --no-images, or no image is recognised."
                .to_owned(),
        ));
    } else {
        let mut cards = Vec::new();
        for map in &units.maps {
            let text = class_name(&judged.classes()[map.label]);
            let picture = photo(judged, map.sample, SIDE, text.clone())?;
            let least = map
                .probabilities
                .iter()
                .copied()
                .fold(f64::INFINITY, f64::min);
            let mut heat = Picture::png(
                &drawn(map),
                format!("probability of {text} by place of the square"),
            )?;
            heat.pixelated = true;
            cards.push(html! {
                div.card {
                    div.twin { (picture) (heat) }
                    p.label { (text) }
                    p.soft.small {
                        (format!("{:.0}%", 100.0 * map.whole)) " for the whole image, "
                        (format!("{:.0}%", 100.0 * least)) " at the least"
                    }
                }
            });
        }
        let side = units.maps.first().map_or(0, |map| map.side);
        blocks.push(Block::Figure(Figure::new(
            html! { div.cards.wide { @for card in &cards { (card) } } },
            html! {
                "Images that are recognised, and beside each the probability of its class while a grey square of "
                (side) "×" (side) " pixels of the network's input hides a part: the colour at a place is that with the \
                 square there, from 0 (dark violet) to 1 (yellow). Where it is dark, the network needs what is there. The \
                 map covers the centre view, which is a little less than the record."
            },
        )));
    }
    Ok(Section {
        id: "occlusion",
        title: "What the network looks at (occlusion)".to_owned(),
        blocks,
    })
}

/// The map as a picture, the squares' places enlarged.
fn drawn(map: &OcclusionMap) -> Pixels {
    let side = map.places.len();
    let across = side * ENLARGED;
    let mut rgb = Vec::with_capacity(across * across * 3);
    for y in 0..across {
        for x in 0..across {
            rgb.extend(colour(
                map.probabilities[y / ENLARGED * side + x / ENLARGED],
            ));
        }
    }
    Pixels {
        width: across,
        height: across,
        rgb,
    }
}

/// The colour of a probability; the lowest for what is no number.
fn colour(probability: f64) -> [u8; 3] {
    let place = probability.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
    let lower = (place as usize).min(COLOURS.len() - 2);
    let share = place - lower as f64;
    std::array::from_fn(|channel| {
        let (low, high) = (
            f64::from(COLOURS[lower][channel]),
            f64::from(COLOURS[lower + 1][channel]),
        );
        (low + share * (high - low)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::{COLOURS, colour};

    #[test]
    fn colours_go_from_the_first_to_the_last() {
        assert_eq!(
            [0.0, 0.5, 1.0, 7.0].map(colour),
            [COLOURS[0], COLOURS[2], COLOURS[4], COLOURS[4]]
        );
        assert_eq!(colour(0.125), [64, 42, 112]);
        assert_eq!(colour(f64::NAN), COLOURS[0]);
    }
}
