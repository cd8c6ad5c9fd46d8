//! How the probability of an image's class changes as a grey square hides part of it.

use maud::html;
use shardmill_loader::Dataset;

use super::super::error::ReportError;
use super::super::units::Units;
use super::dataset::class_name;
use crate::analysis::OcclusionMap;
use crate::report::page::{Block, Figure};
use crate::report::photo::photo;
use crate::report::picture::{Picture, Pixels};

/// Longest side of the photographs in pixels.
const SIDE: usize = 160;

/// Pixels of the map for each place of the square.
const ENLARGED: usize = 8;

/// Colours from the lowest probability to the highest: viridis at five places.
const COLOURS: [[u8; 3]; 5] = [
    [68, 1, 84],
    [59, 82, 139],
    [33, 145, 140],
    [94, 201, 98],
    [253, 231, 37],
];

/// # Errors
/// A record that is damaged.
pub(in crate::report) fn blocks(
    judged: &Dataset,
    units: &Units,
) -> Result<Vec<Block>, ReportError> {
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
            let range = Range::of(map);
            let mut heat = Picture::png(
                &drawn(map, range),
                format!("probability of {text} by place of the square"),
            )?;
            heat.pixelated = true;
            cards.push(html! {
                div.card {
                    div.twin { (picture) (heat) }
                    p.label { (text) }
                    p.soft.small { (percent(map.whole)) " for the whole image" }
                    p.scale {
                        (percent(range.low))
                        i role="img" aria-label="colours from the lowest to the highest probability" style=(ramp()) {}
                        (percent(range.high))
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
                 square there. Each map has a scale of its own, from its lowest probability (dark violet) to its highest \
                 (yellow), and the bar beneath says which these are. Where a map is dark, the probability falls most with \
                 that part hidden. A map whose two numbers are near each other, so that it is alike everywhere, says that \
                 no single part decides. The map covers the centre view, which is a little less than the record."
            },
        )));
    }
    Ok(blocks)
}

/// The lowest and the highest probability of a map.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// 0 to 0 where no probability is a number.
    fn of(map: &OcclusionMap) -> Self {
        let numbers = || map.probabilities.iter().copied().filter(|p| p.is_finite());
        let range = Self {
            low: numbers().fold(f64::INFINITY, f64::min),
            high: numbers().fold(f64::NEG_INFINITY, f64::max),
        };
        match range.low <= range.high {
            true => range,
            false => Self {
                low: 0.0,
                high: 0.0,
            },
        }
    }

    /// 0 at its lowest, 1 at its highest; 1 everywhere where these are the same.
    fn place(self, probability: f64) -> f64 {
        match self.high > self.low {
            true => (probability - self.low) / (self.high - self.low),
            false => 1.0,
        }
    }
}

fn percent(probability: f64) -> String {
    match probability.is_finite() {
        true => format!("{:.1}%", 100.0 * probability),
        false => "–".to_owned(),
    }
}

/// All colours side by side, as a style.
fn ramp() -> String {
    let stops = COLOURS.map(|[r, g, b]| format!("rgb({r},{g},{b})"));
    format!("background:linear-gradient(90deg,{})", stops.join(","))
}

/// The map as a picture, the squares' places enlarged.
fn drawn(map: &OcclusionMap, range: Range) -> Pixels {
    let side = map.places.len();
    let across = side * ENLARGED;
    let mut rgb = Vec::with_capacity(across * across * 3);
    for y in 0..across {
        for x in 0..across {
            let probability = map.probabilities[y / ENLARGED * side + x / ENLARGED];
            rgb.extend(colour(range.place(probability)));
        }
    }
    Pixels {
        width: across,
        height: across,
        rgb,
    }
}

/// The colour of a share of the scale; the lowest for what is no number.
fn colour(share: f64) -> [u8; 3] {
    let share = if share.is_nan() { 0.0 } else { share };
    let place = share.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
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
    use super::{COLOURS, Range, colour, drawn, percent};
    use crate::analysis::OcclusionMap;

    fn map(probabilities: Vec<f64>) -> OcclusionMap {
        OcclusionMap {
            sample: 0,
            label: 0,
            whole: 0.5,
            side: 1,
            places: vec![0, 1],
            probabilities,
        }
    }

    #[test]
    fn every_map_has_all_colours_between_its_lowest_and_highest_probability() {
        let map = map(vec![0.41, 0.42, f64::NAN, 0.43]);
        let range = Range::of(&map);
        assert_eq!([range.low, range.high].map(percent), ["41.0%", "43.0%"]);
        let pixels = drawn(&map, range);
        assert_eq!(pixels.rgb[..3], COLOURS[0]);
        assert_eq!(pixels.rgb[pixels.rgb.len() - 3..], COLOURS[4]);
    }

    #[test]
    fn a_map_without_a_range_has_one_colour() {
        for value in [0.3, f64::NAN] {
            let map = map(vec![value; 4]);
            let pixels = drawn(&map, Range::of(&map));
            assert!(
                pixels
                    .rgb
                    .as_chunks::<3>()
                    .0
                    .iter()
                    .all(|p| *p == COLOURS[4])
            );
        }
    }

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
