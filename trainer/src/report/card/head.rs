//! The head that model hubs read, and the title.

use crate::report::card::Subject;
use crate::report::card::figures::{Row, rows};
use crate::report::card::markdown::{plain, quoted};
use crate::run::variant_name;

/// The YAML between two lines of dashes. The licence is the user's to choose; so is the data's name, unless it
/// is given.
pub(super) fn yaml(subject: &Subject<'_>) -> String {
    let variant = variant_name(subject.state.model.variant);
    let mut text = "---\n# license: choose one and remove the mark of a comment\n".to_owned();
    match subject.dataset {
        Some(name) => text += &format!("datasets:\n- {}\n", quoted(name)),
        None => text += "# datasets: name the data that it was trained on\n",
    }
    text += "library_name: pytorch\npipeline_tag: image-classification\n";
    text += "metrics:\n- accuracy\n";
    text += "tags:\n- image-classification\n- alexnet\n";
    if variant != "alexnet" {
        text += &format!("- {variant}\n");
    }
    text += "- shardmill\n";
    let rows = rows(subject);
    if let (Some(dataset), false) = (subject.dataset, rows.is_empty()) {
        text += &index(subject, dataset, &rows);
    }
    text + "---\n"
}

/// The figures as hubs list them: accuracies as shares, so an error of 40% is 0.6.
fn index(subject: &Subject<'_>, dataset: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "model-index:\n- name: {}\n  results:\n",
        quoted(subject.name())
    );
    for row in rows {
        text += "  - task:\n      type: image-classification\n";
        text += &format!(
            "    dataset:\n      name: {0}\n      type: {0}\n      split: {1}\n",
            quoted(dataset),
            quoted(&row.split)
        );
        text += "    metrics:\n";
        for (name, error) in [
            ("top-1", row.scores.top1_error),
            ("top-5", row.scores.top5_error),
        ] {
            text += &format!(
                "    - type: accuracy\n      value: {:.4}\n      name: {name} accuracy, {}\n",
                1.0 - error / 100.0,
                row.views.name()
            );
        }
    }
    text
}

/// The title and what this is in two sentences.
pub(super) fn title(subject: &Subject<'_>) -> String {
    let state = subject.state;
    let origin = if subject.is_trained() {
        "It was trained with Shardmill after Krizhevsky, Sutskever and Hinton, \"ImageNet Classification with \
         Deep Convolutional Neural Networks\", NIPS 2012."
    } else {
        "Its weights were imported into Shardmill and exported again; where they come from is not recorded."
    };
    format!(
        "# {}\n\nAn AlexNet (`{}`) that sorts images into {} classes.\n{origin}\n",
        plain(subject.name()),
        variant_name(state.model.variant),
        state.classes.len()
    )
}
