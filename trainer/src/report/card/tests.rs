use shardmill_formats::Class;

use super::{Subject, belongs, card};
use crate::checkpoint::exchange::Naming;
use crate::checkpoint::{PixelStatistics, Progress, RunState};
use crate::net::config::ModelConfig;
use crate::net::scores::Scores;
use crate::recipe::{InputScale, Mean};
use crate::run::View;
use crate::run::log::{EvaluationPoint, History, RunStart, StepPoint, WarningPoint};

const SCORES: Scores = Scores {
    samples: 3_925,
    loss: 1.5,
    top1_error: 40.0,
    top5_error: 8.0,
};

/// A network of 30 classes, after 7 of 8 epochs.
fn state() -> RunState {
    let class = |number: usize| Class {
        synset: format!("n{number:02}"),
        name: format!("class | {number}"),
    };
    let model = ModelConfig {
        classes: 30,
        width: 0.5,
        ..ModelConfig::alexnet()
    };
    let pixels = PixelStatistics {
        mean: [120.0, 110.5, 100.25],
        std: [60.0, 61.0, 62.0],
    };
    let mut state = RunState::unborn(model, (0..30).map(class).collect(), pixels);
    state.seed = 3;
    state.recipe.epochs = 8;
    state.recipe.lr = 0.002;
    state.progress = Progress {
        epoch: 7,
        step: 700,
        records: 9_469,
        center: Some(SCORES),
        ..Progress::default()
    };
    state
}

fn history(state: &RunState) -> History {
    let evaluation = |step, views, top1_error| EvaluationPoint {
        epoch: step / 100,
        step,
        split: "val_b".to_owned(),
        views,
        scores: Scores {
            top1_error,
            ..SCORES
        },
        guessing_top1_error: Some(96.0),
        seconds: 1.0,
    };
    let step = |step, seconds| StepPoint {
        epoch: 1,
        step,
        loss: 1.0,
        lr: 0.01,
        top1_error: 1.0,
        top5_error: 1.0,
        images_per_second: 1.0,
        data_wait: 0.0,
        seconds,
    };
    History {
        start: Some(RunStart {
            seed: 3,
            shards: None,
            manifest_crc32c: None,
            classes: 30,
            train_images: 9_469,
            val_split: Some("val_b".to_owned()),
            val_images: 3_925,
            recipe: state.recipe.clone(),
            model: state.model.clone(),
        }),
        // Two processes, and a step after the checkpoint.
        steps: vec![
            step(300, 3_600.0),
            step(400, 60.0),
            step(700, 120.0),
            step(800, 500.0),
        ],
        evaluations: vec![
            evaluation(600, View::Center, 45.0),
            evaluation(700, View::Center, 40.0),
            evaluation(800, View::Ten, 39.0),
        ],
        warnings: vec![WarningPoint {
            epoch: 1,
            step: 300,
            message: "warning: the loss is <high>".to_owned(),
        }],
        ..History::default()
    }
}

fn subject<'a>(state: &'a RunState, history: Option<&'a History>) -> Subject<'a> {
    Subject {
        file: "small.safetensors",
        naming: Naming::Pytorch,
        state,
        parameters: 1_234_567,
        mean_side: None,
        history,
        dataset: None,
    }
}

fn has(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}

#[test]
fn a_card_says_what_was_trained_on_what_and_how_well() {
    let state = state();
    let history = history(&state);
    assert!(belongs(&history, &state));
    let mut subject = subject(&state, Some(&history));
    let text = card(&subject);
    has(
        &text,
        &[
            "---\n# license: choose one",
            "# datasets: name the data",
            "# small\n",
            "| parameters | 1,234,567 |",
            "9,469 training images of 30 classes.",
            "3,925 images of split val\\_b for validation",
            "the mean of each channel is subtracted: 120.000, 110.500, 100.250.\nNothing is divided.",
            "| 19 | n19 | class \\| 19 |\n\nThe other 10 classes",
            "| these weights | val\\_b | 3,925 | centre view | 40.00% | 8.00% |",
            "| always the most frequent class | val\\_b |  |  | 96.00% |  |",
            "| the paper's network, as the paper gives it |",
            "Ten views of these weights were not measured",
            "after 7 of 8 epochs and 700 steps, with seed 3",
            "Training took 1 h 2 min",
            "one warning: the loss is \\<high\\>",
            "| `lr` | 0.01 | 0.002 |",
            "| `model.width` | 1 | 0.5 |",
            "conv2, conv4 and conv5 have two groups.",
            "padded by three zeros on the right and below",
            "Do not use it where a wrong answer harms someone.",
        ],
    );
    // Of another step, or of another number of classes than the paper's.
    assert!(
        !text.contains("39.00%") && !text.contains("45.00%"),
        "{text}"
    );
    assert!(!text.contains("model.classes"), "{text}");
    assert!(!text.contains("model-index"), "{text}");

    subject.dataset = Some("my \"set\"");
    has(
        &card(&subject),
        &[
            "datasets:\n- \"my \\\"set\\\"\"\n",
            "model-index:\n- name: \"small\"",
            "      split: \"val_b\"",
            "    - type: accuracy\n      value: 0.6000\n      name: top-1 accuracy, centre view",
            "value: 0.9200",
        ],
    );
}

#[test]
fn a_card_without_a_log_has_what_the_checkpoint_knows() {
    let mut state = state();
    let text = card(&subject(&state, None));
    has(
        &text,
        &[
            "| these weights | val | 3,925 | centre view | 40.00% | 8.00% |",
            "| guessing evenly | val |  |  | 96.67% | 83.33% |",
        ],
    );
    // In the middle of an epoch its scores are those of earlier weights.
    state.progress.samples = 100;
    let text = card(&subject(&state, None));
    has(
        &text,
        &[
            "were not evaluated when they were saved",
            "had seen 100 of 9,469 images",
        ],
    );
    assert!(!text.contains("40.00%"), "{text}");
}

#[test]
fn every_kind_of_input_is_described() {
    let mut state = state();
    state.recipe.scale = InputScale::Standardized;
    has(
        &card(&subject(&state, None)),
        &["is divided by 60.000, 61.000, 62.000"],
    );
    state.recipe.scale = InputScale::MeanOnly;
    state.recipe.mean = Mean::ImageCenter;
    let mut with_mean = subject(&state, None);
    with_mean.mean_side = Some(256);
    has(
        &card(&with_mean),
        &["`mean_image`, `[3, 256, 256]`, its centre window"],
    );

    state.model = ModelConfig {
        classes: 30,
        ..ModelConfig::alexnet_owt()
    };
    let mut torchvision = subject(&state, None);
    torchvision.naming = Naming::Torchvision;
    torchvision.mean_side = Some(256);
    let text = card(&torchvision);
    has(
        &text,
        &["alexnet(num_classes=30)", "weights.pop(\"mean_image\")"],
    );
    assert!(!text.contains("two groups"), "{text}");
}

#[test]
fn imported_weights_are_not_said_to_be_trained() {
    let known = state();
    let state = RunState::unborn(known.model.clone(), known.classes.clone(), known.pixels);
    let text = card(&subject(&state, None));
    has(
        &text,
        &[
            "were imported into Shardmill",
            "Not here, so that nothing is known",
        ],
    );
    assert!(!text.contains("epochs"), "{text}");
    let history = history(&known);
    assert!(!belongs(&history, &state));
}
