//! A map of the images: near features, near places.

use maud::html;
use shardmill_loader::Dataset;

use super::super::findings::{Findings, Neighbours};
use super::super::plane::Plane;
use super::dataset::{class_name, first_name};
use crate::report::chart::{Axis, Chart, Colour, Point, SERIES_COLOURS, Series, Size, scatter};
use crate::report::page::{Block, Figure};
use crate::report::text::{grouped, name};

/// A map of the images, or why there is none.
pub(in crate::report) fn blocks(judged: &Dataset, findings: &Findings) -> Vec<Block> {
    let block = match &findings.neighbours {
        Err(reason) => Block::Missing(format!("A map of the images: {reason}.")),
        Ok(found) => match &found.plane {
            Err(reason) => Block::Missing(format!("A map of the images: {reason}.")),
            Ok(plane) => Block::Figure(figure(judged, found, plane)),
        },
    };
    vec![block]
}

fn figure(judged: &Dataset, found: &Neighbours, plane: &Plane) -> Figure {
    let series = series(judged, plane);
    let others = series.last().filter(|one| one.colour == Colour::Muted);
    let coloured = series.len() - usize::from(others.is_some());
    // Names of any length and number have room in the caption, but not beside the axes.
    let nameless: Vec<Series> = series
        .iter()
        .map(|one| Series {
            name: String::new(),
            ..one.clone()
        })
        .collect();
    let axis = Axis {
        bare: true,
        ..Axis::default()
    };
    let chart = scatter(
        &Chart {
            id: "map",
            alt: "Images as points, in the colours of their classes",
            x: axis,
            y: axis,
            size: Size {
                width: 720.0,
                height: 520.0,
            },
        },
        &nameless,
    );
    let (shown, all) = (plane.places.len(), found.lists.len());
    Figure::chart(
        &chart,
        html! {
            span.legend {
                @for one in &series {
                    span { span style=(format!("color: {}", one.colour.css())) { "■ " } (one.name) }
                    " "
                }
            }
            br;
            (grouped(shown as u64)) @if shown < all { " of the " (grouped(all as u64)) } " images of split "
            (name(judged.split())) " by their " (found.len) " values of " (found.layer)
            ": t-SNE (van der Maaten and Hinton, 2008). Only neighbourhoods mean something: axes have no unit, and neither \
             the sizes of groups nor the distances between them say anything."
            @if others.is_some() {
                " The " (coloured) " classes with the most images shown are coloured; of classes with equally many, those \
                 that come first by label."
            }
        },
    )
}

/// A series for each of the classes with the most points, and one for all others.
fn series(judged: &Dataset, plane: &Plane) -> Vec<Series> {
    let classes = judged.classes();
    let mut sizes = vec![0_usize; classes.len()];
    let class_of = |label: i64| {
        usize::try_from(label)
            .ok()
            .filter(|&class| class < classes.len())
    };
    for class in plane
        .places
        .iter()
        .filter_map(|place| class_of(place.label))
    {
        sizes[class] += 1;
    }
    let mut largest: Vec<usize> = (0..classes.len())
        .filter(|&class| sizes[class] > 0)
        .collect();
    largest.sort_by_key(|&class| (std::cmp::Reverse(sizes[class]), class));
    largest.truncate(SERIES_COLOURS);
    let mut series: Vec<Series> = largest
        .iter()
        .enumerate()
        .map(|(number, &class)| Series {
            name: first_name(&class_name(&classes[class])).to_owned(),
            colour: Colour::Series(number),
            marks: true,
            ..Series::default()
        })
        .collect();
    series.push(Series {
        name: "other classes".to_owned(),
        colour: Colour::Muted,
        marks: true,
        ..Series::default()
    });
    for (place, sample) in plane.places.iter().zip(&plane.samples) {
        let class = class_of(place.label);
        let number = largest.iter().position(|&one| Some(one) == class);
        let title = match class {
            Some(class) => format!("{}, image {sample}", class_name(&classes[class])),
            None => format!("image {sample}"),
        };
        let number = number.unwrap_or(largest.len());
        series[number].points.push(Point {
            x: place.x,
            y: place.y,
            title: Some(title),
        });
    }
    series.retain(|one| !one.points.is_empty());
    series
}
