//! The report of an ensemble.

use crate::net::scores::Scores;
use crate::study::catalogue::Study;
use crate::study::document::{Document, Part, Section, Table};
use crate::study::ensemble::{Ensemble, Member, ViewScores};
use crate::study::statistics::counting_error;

/// The paper's rows of Table 2 on the validation images of ILSVRC-2012, ten views, top-1 and top-5.
const PAPER: [(&str, &str, &str); 3] = [
    ("the paper: 1 network", "40.7", "18.2"),
    ("the paper: 5 averaged", "38.1", "16.4"),
    (
        "the paper: 7 averaged, 2 of them pre-trained",
        "36.7",
        "15.4",
    ),
];

/// The report of `found`.
pub(crate) fn ensemble_report(study: &Study, found: &Ensemble) -> Document {
    let images = found.average.center.map_or(0, |scores| scores.samples);
    let own = found
        .networks
        .iter()
        .map(|network| row(&network.checkpoint, &network.scores));
    let average = row(
        &format!("average of these {}", found.networks.len()),
        &found.average,
    );
    let paper = PAPER
        .iter()
        .map(|&(name, top1, top5)| [name, top1, top5, "-", "-"].map(str::to_owned).into());
    let table = Table {
        caption: format!(
            "Errors in percent on the {images} images of split `{}`; the paper's are of ILSVRC-2012.",
            found.split
        ),
        head: [
            "network",
            "ten views top-1",
            "ten views top-5",
            "centre top-1",
            "centre top-5",
        ]
        .map(str::to_owned)
        .into(),
        rows: own.chain([average]).chain(paper).collect(),
    };
    let error = found.average.ten.map_or(0.0, |scores| scores.top1_error);
    let mut text = vec![
        "The average is of the softmax outputs, as the paper's.".to_owned(),
        format!(
            "An error of {error:.1}% on {images} images has a standard error of {:.2} points.",
            counting_error(error, images)
        ),
    ];
    text.push(
        "A network is called by its checkpoint's file, with the folders that tell it from the others.".to_owned(),
    );
    let mut lead = vec![study.paper.to_owned()];
    lead.extend(remarks(found));
    Document {
        title: format!("{}: {}", study.name, study.about),
        lead,
        sections: vec![Section {
            id: "result",
            title: "Errors".to_owned(),
            parts: vec![Part::Table(table), Part::Text(text)],
        }],
    }
}

/// What a reader would not expect: members that are better than the average, or were trained on other images.
fn remarks(found: &Ensemble) -> Vec<String> {
    let mut text = Vec::new();
    let error = |scores: &ViewScores| scores.ten.map(|scores| scores.top1_error);
    let better = found
        .networks
        .iter()
        .filter(|network| error(&network.scores) < error(&found.average));
    let better: Vec<String> = better
        .map(|network| format!("`{}`", network.checkpoint))
        .collect();
    if !better.is_empty() {
        text.push(format!(
            "The average has a higher top-1 error from ten views than {} by itself.",
            better.join(" and ")
        ));
    }
    let images = |network: &Member| network.train_images;
    if found
        .networks
        .windows(2)
        .any(|pair| images(&pair[0]) != images(&pair[1]))
    {
        let each = found
            .networks
            .iter()
            .map(|network| format!("`{}` on {}", network.checkpoint, network.train_images));
        text.push(format!(
            "The networks were trained on different numbers of images: {}.",
            each.collect::<Vec<_>>().join(", ")
        ));
    }
    text
}

fn row(name: &str, scores: &ViewScores) -> Vec<String> {
    let error = |scores: Option<Scores>, value: fn(Scores) -> f64| {
        scores.map_or_else(|| "-".to_owned(), |scores| format!("{:.2}", value(scores)))
    };
    vec![
        name.to_owned(),
        error(scores.ten, |scores| scores.top1_error),
        error(scores.ten, |scores| scores.top5_error),
        error(scores.center, |scores| scores.top1_error),
        error(scores.center, |scores| scores.top5_error),
    ]
}
