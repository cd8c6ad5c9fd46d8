//! The dataset: classes, counts, colours and some images.

use maud::{Markup, html};
use shardmill_formats::{Class, Manifest, counted};
use shardmill_loader::Dataset;

use super::super::material::{Data, Material};
use crate::report::chart::{Axis, Bar, Chart, Colour, Size, bars};
use crate::report::page::{Block, Column, Figure, Table};
use crate::report::paper::{IMAGENET_COMPONENTS, IMAGENET_DEVIATIONS, IMAGENET_MEAN};
use crate::report::photo::{PhotoError, photo};
use crate::report::text::{grouped, line, name};
use crate::run::data;

/// Images of the contact sheet, and their longest side in pixels.
const SHEET: usize = 36;
const THUMBNAIL: usize = 96;

/// Most classes of a chart of counts.
const MOST_BARS: usize = 30;

/// # Errors
/// A record that is damaged.
pub(in crate::report) fn blocks(material: &Material) -> Result<Vec<Block>, PhotoError> {
    let mut blocks = Vec::new();
    match &material.data {
        Ok(data) => {
            blocks.push(facts(material, data));
            blocks.extend(classes(data));
            blocks.extend(sheet(material, data)?);
            blocks.extend(colours(&data.manifest));
        }
        Err(reason) => {
            blocks.push(without(material));
            blocks.push(Block::Missing(format!(
                "Counts, colours and images of the dataset: {reason}."
            )));
        }
    }
    Ok(blocks)
}

/// What log and checkpoint know of the dataset.
fn without(material: &Material) -> Block {
    let start = material.history.start.as_ref();
    let pixels = material
        .checkpoint
        .as_ref()
        .ok()
        .map(|chosen| chosen.state.pixels);
    Block::Prose(html! {
        @if let Some(start) = start {
            p {
                (grouped(start.train_images)) " training images of " (start.classes) " classes, "
                @match &start.val_split {
                    Some(split) => { (grouped(start.val_images)) " validation images in split " (name(split)) "." }
                    None => "no validation split.",
                }
            }
        }
        @if let Some(pixels) = pixels {
            p {
                "Mean of the training pixels, red, green and blue, on the 0-255 scale: " (three(pixels.mean))
                "; standard deviation: " (three(pixels.std)) "."
            }
        }
        @if let Some(classes) = material.classes() {
            details {
                summary { "Classes" }
                ol start="0" { @for class in classes { li { (class_name(class)) } } }
            }
        }
    })
}

/// A class in words, with its synset where that says more.
pub(in crate::report) fn class_name(class: &Class) -> String {
    if class.name.is_empty() || class.name == class.synset {
        return name(&class.synset);
    }
    name(&class.name)
}

/// The first of a class's names, which tables have room for; its other names show on hover.
pub(in crate::report) fn short_name(class: &Class) -> Markup {
    let whole = class_name(class);
    let short = first_name(&whole);
    html! { span title=[(short != whole).then_some(&whole)] { (short) } }
}

/// The first of several names.
pub(in crate::report) fn first_name(whole: &str) -> &str {
    whole.split(", ").next().unwrap_or_default()
}

fn three(values: [f64; 3]) -> String {
    values.map(|value| format!("{value:.1}")).join(", ")
}

fn facts(material: &Material, data: &Data) -> Block {
    let manifest = &data.manifest;
    let bytes: u64 = manifest
        .splits
        .values()
        .flat_map(|split| &split.shards)
        .map(|shard| shard.bytes)
        .sum();
    let row = |what: &str, text: Markup| vec![html! { (what) }, text];
    let splits: Vec<String> = manifest
        .splits
        .iter()
        .map(|(split, described)| {
            let labels = if described.labelled {
                ""
            } else {
                ", without labels"
            };
            format!("{} {}{labels}", grouped(described.records), name(split))
        })
        .collect();
    let mut rows = vec![
        row(
            "name",
            html! { (material.dataset_name().map_or_else(String::new, |text| name(&text))) },
        ),
        row("images", html! { (splits.join("; ")) }),
        row("classes", html! { (manifest.classes.len()) }),
        row(
            "records",
            html! {
                (manifest.width) "×" (manifest.height) " pixels, " (manifest.codec) ", "
                (shardmill_formats::size(bytes))
            },
        ),
        row(
            "made by",
            html! {
                "prep " (line(&manifest.prep_version)) ": " (line(&manifest.preprocessing.geometry)) ", "
                (line(&manifest.preprocessing.filter)) ", " (line(&manifest.preprocessing.decoder))
            },
        ),
        row(
            "source",
            html! { (grouped(manifest.source.images)) " images, layout " (line(&manifest.source.layout)) },
        ),
    ];
    if manifest.rejects.count > 0 {
        rows.push(row(
            "rejects",
            html! { (grouped(manifest.rejects.count)) " images could not be read" },
        ));
    }
    Block::Table(Table {
        caption: html! { "The dataset, from its manifest." },
        head: vec![Column::words("what"), Column::words("value")],
        rows,
    })
}

/// The labelled splits that are opened, with the images of each class.
fn counts(data: &Data) -> Vec<(String, Vec<u64>)> {
    let count = |split: &Dataset| {
        let mut counts = vec![0; data.manifest.classes.len()];
        for sample in 0..split.len() {
            let label = usize::try_from(split.label(sample)).ok();
            if let Some(count) = label.and_then(|label| counts.get_mut(label)) {
                *count += 1;
            }
        }
        (split.split().to_owned(), counts)
    };
    let others = data.manifest.splits.iter();
    let others = others.filter(|(split, described)| *split != data::TRAIN && described.labelled);
    let opened = others.filter_map(|(split, _)| data::open(&data.folder, split).ok());
    let mut found = vec![count(&data.train)];
    found.extend(opened.map(|split| count(&split)));
    found
}

fn classes(data: &Data) -> Vec<Block> {
    let counts = counts(data);
    let classes = &data.manifest.classes;
    let mut blocks = Vec::new();
    let train = &counts[0].1;
    let (least, most) = (
        train.iter().min().copied().unwrap_or(0),
        train.iter().max().copied().unwrap_or(0),
    );
    if classes.len() <= MOST_BARS {
        let bar = |(class, count): (&Class, &u64)| Bar {
            name: class_name(class),
            value: *count as f64,
            colour: Colour::Series(0),
            title: None,
        };
        let drawn: Vec<Bar> = classes.iter().zip(train).map(bar).collect();
        let svg = bars(
            &Chart {
                id: "counts",
                alt: "training images of each class",
                x: Axis {
                    label: "training images",
                    whole: true,
                    ..Axis::default()
                },
                y: Axis::default(),
                size: Size::default(),
            },
            &drawn,
        );
        blocks.push(Block::Figure(Figure::chart(
            &svg,
            html! {
                "Training images of each class: "
                @if least == most { (grouped(least)) " of each." } @else { (grouped(least)) " to " (grouped(most)) "." }
            },
        )));
    } else {
        blocks.push(Block::Prose(html! {
            p {
                @if least == most { "Each class has " } @else { "A class has " (grouped(least)) " to " }
                (counted(most, "training image", "training images")) "."
            }
        }));
    }
    let rows = classes.iter().enumerate().map(|(label, class)| {
        let mut row = vec![html! { (label) }, html! { (short_name(class)) }];
        row.extend(
            counts
                .iter()
                .map(|(_, counts)| html! { (grouped(counts[label])) }),
        );
        row.push(html! { code { (name(&class.synset)) } });
        row.push(html! { (class_name(class)) });
        row
    });
    let mut head = vec![Column::numbers("label"), Column::words("class")];
    head.extend(counts.iter().map(|(split, _)| Column::numbers(name(split))));
    head.extend([Column::words("synset"), Column::words("all its names")]);
    blocks.push(Block::Fold {
        summary: format!("All {} classes with their images", classes.len()),
        blocks: vec![Block::Table(Table {
            caption: html! { "Images of each class and split." },
            head,
            rows: rows.collect(),
        })],
    });
    blocks
}

/// Training images of classes spread over all of them, the same number of each.
fn sheet(material: &Material, data: &Data) -> Result<Option<Block>, PhotoError> {
    if !material.images {
        return Ok(Some(Block::Missing(
            "Images of the dataset: the page was made with --no-images.".to_owned(),
        )));
    }
    let classes = data.manifest.classes.len();
    let shown = classes.min(SHEET);
    let each = SHEET / shown.max(1);
    let mut samples: Vec<Vec<u64>> = vec![Vec::new(); classes];
    for sample in 0..data.train.len() {
        let label = usize::try_from(data.train.label(sample)).ok();
        if let Some(list) = label.and_then(|label| samples.get_mut(label)) {
            list.push(sample);
        }
    }
    let mut groups = Vec::new();
    let mut pictures = 0;
    for place in 0..shown {
        let label = place * classes / shown;
        let list = &samples[label];
        let text = class_name(&data.manifest.classes[label]);
        let count = each.min(list.len());
        let mut group = Vec::new();
        for i in 0..count {
            group.push(photo(
                &data.train,
                list[i * list.len() / count],
                THUMBNAIL,
                text.clone(),
            )?);
        }
        pictures += count;
        groups.push(html! {
            div.group title=(text) {
                p { (text) }
                div.photos { @for picture in &group { span.photo { (picture) } } }
            }
        });
    }
    // Side by side: the images of a class, or as much of it as a phone is wide.
    let wide = (each * (THUMBNAIL + 6)).min(3 * (THUMBNAIL + 6));
    let body = html! {
        div.groups style=(format!("--group:{wide}px")) { @for group in &groups { (group) } }
    };
    Ok(Some(Block::Figure(Figure::new(
        body,
        html! {
            "Contact sheet: " (pictures) " of " (grouped(data.train.len())) " training images, of "
            (shown) " of " (classes) " classes, made smaller."
        },
    ))))
}

/// Mean, deviation and principal components, beside ImageNet's.
fn colours(manifest: &Manifest) -> Vec<Block> {
    let Some(found) = &manifest.statistics else {
        return vec![Block::Missing(
            "Mean and components of the colours: the manifest holds no statistics; `prep ingest` writes them."
                .to_owned(),
        )];
    };
    let own = found.statistics;
    let deviations = own.eigenvalues.map(f64::sqrt);
    let mut rows = vec![
        vec![
            html! { "mean" },
            html! { (three(own.mean)) },
            html! { (swatch(own.mean, [0.0; 3])) },
            html! { (three(IMAGENET_MEAN)) },
            html! { (swatch(IMAGENET_MEAN, [0.0; 3])) },
        ],
        vec![
            html! { "standard deviation" },
            html! { (three(own.std)) },
            html! {},
            html! { "–" },
            html! {},
        ],
    ];
    for place in 0..3 {
        let step = |mean: [f64; 3], vector: [f64; 3], deviation: f64| {
            swatch(mean, vector.map(|value| 2.0 * deviation * value))
        };
        rows.push(vec![
            html! { "component " (place + 1) },
            component(own.eigenvectors[place], deviations[place]),
            step(own.mean, own.eigenvectors[place], deviations[place]),
            component(IMAGENET_COMPONENTS[place], IMAGENET_DEVIATIONS[place]),
            step(
                IMAGENET_MEAN,
                IMAGENET_COMPONENTS[place],
                IMAGENET_DEVIATIONS[place],
            ),
        ]);
    }
    vec![Block::Table(Table {
        caption: html! {
            "Colours of split " (name(&found.split)) " in red, green and blue on the 0-255 scale, beside ImageNet's from \
             the authors' source of 2014. A component is an eigenvector of the colours' covariance, with the root of its \
             eigenvalue (σ); the stripe shows the mean with −2σ to +2σ of it. The colour noise of training (section 4.1 \
             of the paper) moves images along these."
        },
        head: ["", "this dataset", "in colour", "ImageNet", "in colour"]
            .map(Column::words)
            .into(),
        rows,
    })]
}

fn component(vector: [f64; 3], deviation: f64) -> Markup {
    let vector = vector.map(|value| format!("{value:.3}")).join(", ");
    html! { "(" (vector) "), σ " (format!("{deviation:.1}")) }
}

/// A stripe from `mean - span` to `mean + span`.
fn swatch(mean: [f64; 3], span: [f64; 3]) -> Markup {
    let colour = |share: f64| {
        let [r, g, b] =
            std::array::from_fn(|c| (mean[c] + share * span[c]).clamp(0.0, 255.0).round());
        format!("rgb({r},{g},{b})")
    };
    let stops = [-1.0, -0.5, 0.0, 0.5, 1.0].map(colour).join(",");
    html! {
        span.swatch role="img" aria-label=(format!("{} to {}", colour(-1.0), colour(1.0)))
            style=(format!("background:linear-gradient(90deg,{stops})")) {}
    }
}
