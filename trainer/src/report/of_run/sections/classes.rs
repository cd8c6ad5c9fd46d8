//! Which classes are recognised, and which are taken for each other.

use maud::{Markup, html};
use shardmill_formats::Class;
use shardmill_loader::Dataset;

use super::super::findings::Findings;
use super::super::material::Material;
use super::dataset::{class_name, short_name};
use crate::analysis::Prediction;
use crate::analysis::confusion::{ClassScore, ConfusedPair, class_scores, confused_pairs};
use crate::report::chart::{Axis, Bar, Chart, Colour, Point, Series, Size, bars, lines};
use crate::report::page::{Block, Column, Figure, Table};
use crate::report::photo::{PhotoError, photo};
use crate::report::text::name;

/// Classes whose accuracies are all drawn as bars; of more, the best and the worst.
const ALL_BARS: usize = 24;
const SOME_BARS: usize = 10;

/// Pairs that are listed, pairs that are shown, images of each class of a pair, and their side in pixels.
const LISTED: usize = 10;
const PAIRS: usize = 5;
const OF_EACH: usize = 3;
const SIDE: usize = 96;

/// # Errors
/// A record that is damaged.
pub(in crate::report) fn blocks(
    material: &Material,
    judged: &Dataset,
    findings: &Findings,
) -> Result<Vec<Block>, PhotoError> {
    let classes = judged.classes();
    let items = &findings.predictions.items;
    let scores = class_scores(items, classes.len());
    let mut blocks = accuracies(&scores, classes, judged.split());
    blocks.push(table(&scores, classes, judged.split()));
    blocks.push(Block::Heading(
        "Classes that are taken for each other".to_owned(),
    ));
    blocks.extend(pairs(material, judged, items)?);
    Ok(blocks)
}

/// Classes with their accuracies, the best first.
fn accuracies(scores: &[ClassScore], classes: &[Class], split: &str) -> Vec<Block> {
    let mut sorted: Vec<(&ClassScore, f64)> = scores
        .iter()
        .filter_map(|score| Some((score, score.accuracy()?)))
        .collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let without = scores.len() - sorted.len();
    let bar = |colour: Colour| {
        move |(score, accuracy): &(&ClassScore, f64)| Bar {
            name: class_name(&classes[score.label]),
            value: *accuracy,
            colour,
            title: Some(format!(
                "{}: {accuracy:.1}%, {} of {}",
                class_name(&classes[score.label]),
                score.top1,
                score.images
            )),
        }
    };
    let chart = |id: &str, alt: &str, drawn: &[Bar]| {
        bars(
            &Chart {
                id,
                alt,
                x: Axis {
                    label: "right, % of the class's images",
                    low: Some(0.0),
                    high: Some(100.0),
                    ..Axis::default()
                },
                y: Axis::default(),
                size: Size::default(),
            },
            drawn,
        )
    };
    let mut blocks = Vec::new();
    let split = name(split);
    if sorted.len() <= ALL_BARS {
        let drawn: Vec<Bar> = sorted.iter().map(bar(Colour::Series(0))).collect();
        blocks.push(Block::Figure(Figure::chart(
            &chart("accuracy", "share of each class that is recognised", &drawn),
            html! {
                "Share of the images of each class in split " (split) " whose class is the network's first guess, from the \
                 centre view."
            },
        )));
    } else {
        let best: Vec<Bar> = sorted[..SOME_BARS].iter().map(bar(Colour::Right)).collect();
        let worst = &sorted[sorted.len() - SOME_BARS..];
        let worst: Vec<Bar> = worst.iter().map(bar(Colour::Wrong)).collect();
        let points = sorted
            .iter()
            .enumerate()
            .map(|(place, (score, accuracy))| Point {
                x: (place + 1) as f64,
                y: *accuracy,
                title: Some(format!(
                    "{}: {accuracy:.1}%",
                    class_name(&classes[score.label])
                )),
            });
        let curve = lines(
            &Chart {
                id: "sorted",
                alt: "accuracy of all classes, sorted",
                x: Axis {
                    label: "class, the best first",
                    low: Some(0.0),
                    high: Some(sorted.len() as f64),
                    whole: true,
                    ..Axis::default()
                },
                y: Axis {
                    label: "right, % of the class's images",
                    low: Some(0.0),
                    high: Some(100.0),
                    ..Axis::default()
                },
                size: Size::default(),
            },
            &[Series {
                points: points.collect(),
                ..Series::default()
            }],
        );
        blocks.push(Block::Row(vec![
            Figure::chart(
                &chart("best", "the best classes", &best),
                html! { "The " (SOME_BARS) " classes of split " (split) " that are recognised best, from the centre view." },
            ),
            Figure::chart(
                &chart("worst", "the worst classes", &worst),
                html! { "The " (SOME_BARS) " that are recognised worst." },
            ),
        ]));
        blocks.push(Block::Figure(Figure::chart(
            &curve,
            html! { "All " (sorted.len()) " classes, the best first; hovering shows which." },
        )));
    }
    if without > 0 {
        blocks.push(Block::Prose(
            html! { p { "Classes without an image in this split: " (without) "." } },
        ));
    }
    blocks
}

fn table(scores: &[ClassScore], classes: &[Class], split: &str) -> Block {
    let share = |hits: u64, images: u64| match images {
        0 => "–".to_owned(),
        _ => format!("{:.1}%", 100.0 * hits as f64 / images as f64),
    };
    let rows = scores.iter().map(|score| {
        vec![
            short_name(&classes[score.label]),
            html! { (score.images) },
            html! { (share(score.top1, score.images)) },
            html! { (share(score.top5, score.images)) },
            html! {
                @if let Some(mistake) = score.mistake {
                    (short_name(&classes[mistake.label])) " (" (mistake.images) ")"
                }
            },
        ]
    });
    Block::Fold {
        summary: format!("All {} classes", scores.len()),
        blocks: vec![Block::Table(Table {
            caption: html! {
                "Each class of split " (name(split)) ": how often it is the first guess and among the first five, and \
                 what the others are taken for most often."
            },
            head: vec![
                Column::words("class"),
                Column::numbers("images"),
                Column::numbers("first guess"),
                Column::numbers("first five"),
                Column::words("most often taken for"),
            ],
            rows: rows.collect(),
        })],
    }
}

fn pairs(
    material: &Material,
    judged: &Dataset,
    items: &[Prediction],
) -> Result<Vec<Block>, PhotoError> {
    let classes = judged.classes();
    let pairs = confused_pairs(items, LISTED);
    if pairs.is_empty() {
        return Ok(vec![Block::Prose(
            html! { p { "No image was taken for another class." } },
        )]);
    }
    let of_class = |label: usize| items.iter().filter(|item| item.label == label).count();
    let rows = pairs.iter().flat_map(|pair| {
        let both = [
            [pair.first, pair.second].map(|label| &classes[label]),
            [pair.second, pair.first].map(|label| &classes[label]),
        ];
        let counts = [pair.first_as_second, pair.second_as_first];
        let sizes = [pair.first, pair.second].map(of_class);
        (0..2).filter(move |&way| counts[way] > 0).map(move |way| {
            let [own, other] = both[way];
            vec![
                short_name(own),
                short_name(other),
                html! { (counts[way]) " of " (sizes[way]) },
            ]
        })
    });
    let table = Table {
        caption: html! {
            "The pairs of classes that are taken for each other most often, and how many of the images of the true class \
             that happens to. Both ways of a pair stand together."
        },
        head: vec![
            Column::words("true class"),
            Column::words("taken for"),
            Column::numbers("how often"),
        ],
        rows: rows.collect(),
    };
    let mut blocks = vec![Block::Table(table)];
    if material.images {
        let mut shown = Vec::new();
        for pair in pairs.iter().take(PAIRS) {
            shown.push(both(judged, items, *pair)?);
        }
        blocks.push(Block::Figure(Figure::new(
            html! { div.pairs { @for pair in &shown { (pair) } } },
            html! {
                "Images of the pairs that are confused most: those that were taken for the other class first, framed; \
                 where there are fewer than " (OF_EACH) ", others of the class follow."
            },
        )));
    } else {
        blocks.push(Block::Missing(
            "Images of these classes: the page was made with --no-images.".to_owned(),
        ));
    }
    Ok(blocks)
}

/// Images of both classes of a pair.
fn both(judged: &Dataset, items: &[Prediction], pair: ConfusedPair) -> Result<Markup, PhotoError> {
    let classes = judged.classes();
    let mut halves = Vec::new();
    for (own, other) in [(pair.first, pair.second), (pair.second, pair.first)] {
        let text = class_name(&classes[own]);
        let confused = |item: &&Prediction| item.rank > 0 && first_other(item) == Some(other);
        let of_class = || items.iter().filter(|item| item.label == own);
        let mut chosen: Vec<&Prediction> = of_class().filter(confused).collect();
        // The surest mistakes.
        chosen.sort_by(|a, b| a.label_probability.total_cmp(&b.label_probability));
        chosen.truncate(OF_EACH);
        let wrong = chosen.len();
        chosen.extend(
            of_class()
                .filter(|item| !confused(item))
                .take(OF_EACH - wrong),
        );
        let mut pictures = Vec::new();
        for (place, item) in chosen.iter().enumerate() {
            let alt = match place < wrong {
                true => format!("{text}, taken for {}", class_name(&classes[other])),
                false => text.clone(),
            };
            pictures.push((
                place < wrong,
                alt.clone(),
                photo(judged, item.sample, SIDE, alt)?,
            ));
        }
        halves.push(html! {
            div.half {
                p { (text) }
                div.photos {
                    @for (wrong, alt, picture) in &pictures {
                        span.photo.framed[*wrong] title=(alt) { (picture) }
                    }
                }
            }
        });
    }
    Ok(html! { div.pair { @for half in &halves { (half) } } })
}

/// The first guess that is not the image's class.
fn first_other(item: &Prediction) -> Option<usize> {
    item.top
        .iter()
        .map(|guess| guess.label)
        .find(|label| *label != item.label)
}
