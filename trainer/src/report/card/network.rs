//! The network, what it expects as its input, and its data.

use std::fmt::Write;

use crate::checkpoint::exchange::{MEAN_IMAGE, Naming};
use crate::net::config::{Conv1Padding, Variant};
use crate::recipe::{InputScale, Mean};
use crate::report::card::Subject;
use crate::report::card::markdown::{code, plain, table};
use crate::report::text::grouped;

/// Classes that are listed; the file's metadata has all of them.
const CLASSES: usize = 20;

/// The network and how to load its weights.
pub(super) fn network(subject: &Subject<'_>) -> String {
    let model = &subject.state.model;
    let rows = [
        ("parameters", grouped(subject.parameters as u64)),
        ("width", format!("{} of the paper's", model.width)),
        ("input", format!("{0}x{0} RGB", model.input_size)),
        ("outputs", format!("{} classes", model.classes)),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    let mut text = "## The network\n\n".to_owned() + &table(&["", ""], &rows) + "\n";
    let names = match subject.naming {
        Naming::Torchvision => "the names of torchvision's `alexnet`",
        Naming::Pytorch => "the paper's layer names, `conv1.weight` to `fc8.bias`",
    };
    let _ = writeln!(
        text,
        "{} has {names}, in PyTorch's layouts: kernels `[outputs, inputs / groups, rows, columns]`, fully \
         connected weights `[outputs, inputs]`, fc6's columns over channels, then rows, then columns.\n\
         Under `shardmill` its metadata holds, as JSON, the network, the classes and the input's description.",
        code(subject.file)
    );
    if model.variant == Variant::Alexnet {
        if model.columns == 2 {
            text += "conv2, conv4 and conv5 have two groups.\n";
        }
        if model.conv1_padding != Conv1Padding::Symmetric {
            text += "conv1's input is padded by three zeros on the right and below.\n";
        }
        if let Some(lrn) = &model.lrn {
            let _ = writeln!(
                text,
                "Responses are normalised after conv1 and conv2 over {} channels: k {}, alpha {} (divided by \
                 that number), beta {}.",
                lrn.size, lrn.k, lrn.alpha, lrn.beta
            );
        }
    }
    if subject.naming == Naming::Torchvision && model.width == 1.0 {
        let drop = if subject.mean_side.is_some() {
            format!("weights.pop(\"{MEAN_IMAGE}\")  # subtract it from the input instead\n")
        } else {
            String::new()
        };
        let _ = write!(
            text,
            "\n```python\nfrom safetensors.torch import load_file\nfrom torchvision.models import alexnet\n\n\
             model = alexnet(num_classes={})\nweights = load_file(\"{}\")\n{drop}\
             model.load_state_dict(weights)\nmodel.eval()\n```\n",
            model.classes,
            subject.file.escape_default()
        );
    }
    text
}

/// How pixels become the network's input.
pub(super) fn input(subject: &Subject<'_>) -> String {
    let (model, recipe) = (&subject.state.model, &subject.state.recipe);
    let pixels = subject.state.pixels;
    let side = model.input_size;
    let list = |values: [f64; 3]| values.map(|value| format!("{value:.3}")).join(", ");
    let mut text = format!(
        "## The input\n\nA batch is `[images, 3, {side}, {side}]` in the order R, G, B.\n\
         An image is resized so that its shorter side is that of the training's records (256 unless the data \
         was prepared otherwise), and a window of {side}x{side} is cut from its centre.\n"
    );
    let mean = list(pixels.mean);
    let _ = match (recipe.mean, recipe.scale) {
        (Mean::Channel, InputScale::MeanOnly) => writeln!(
            text,
            "From pixels on the scale of 0 to 255 the mean of each channel is subtracted: {mean}.\n\
             Nothing is divided."
        ),
        (Mean::Channel, InputScale::Standardized) => writeln!(
            text,
            "From pixels on the scale of 0 to 255 the mean of each channel is subtracted, {mean}, and the \
             result is divided by {}.",
            list(pixels.std)
        ),
        (mean, scale) => {
            let image = subject.mean_side.unwrap_or_default();
            let place = match mean {
                Mean::ImageCenter => "its centre window, whatever window the image is cut to",
                _ => "at the same window as the image is cut",
            };
            let divided = match scale {
                InputScale::MeanOnly => "Nothing is divided.".to_owned(),
                InputScale::Standardized => {
                    format!("The result is divided by {}.", list(pixels.std))
                }
            };
            writeln!(
                text,
                "From pixels on the scale of 0 to 255 the mean image is subtracted: the file's tensor \
                 `{MEAN_IMAGE}`, `[3, {image}, {image}]`, {place}.\nIt is no parameter.\n{divided}"
            )
        }
    };
    text
}

/// What it was trained on.
pub(super) fn data(subject: &Subject<'_>) -> String {
    let state = subject.state;
    let mut text = "## The data\n\n".to_owned();
    if let Some(name) = subject.dataset {
        let _ = writeln!(text, "{}.", plain(name));
    }
    let classes = &state.classes;
    if subject.is_trained() {
        let _ = writeln!(
            text,
            "{} training images of {} classes.",
            grouped(state.progress.records),
            classes.len()
        );
    }
    let start = subject.history.and_then(|history| history.start.as_ref());
    if let Some((start, split)) = start.and_then(|start| Some((start, start.val_split.as_ref()?))) {
        let _ = writeln!(
            text,
            "{} images of split {} for validation, which the learning rate and the choice of the best \
             checkpoint followed.",
            grouped(start.val_images),
            plain(split)
        );
    }
    let _ = writeln!(
        text,
        "Mean and deviation of the training images' colours (R, G, B, on the scale of 0 to 255): {}; {}.\n",
        state
            .pixels
            .mean
            .map(|value| format!("{value:.3}"))
            .join(", "),
        state
            .pixels
            .std
            .map(|value| format!("{value:.3}"))
            .join(", ")
    );
    let rows = classes
        .iter()
        .take(CLASSES)
        .enumerate()
        .map(|(label, class)| vec![label.to_string(), plain(&class.synset), plain(&class.name)]);
    text += &table(&["label", "class", "name"], &rows.collect::<Vec<_>>());
    if classes.len() > CLASSES {
        let _ = writeln!(
            text,
            "\nThe other {} classes are in the file's metadata.",
            classes.len() - CLASSES
        );
    }
    text
}
