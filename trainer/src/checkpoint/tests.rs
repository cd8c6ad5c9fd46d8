//! What is written is read back to the last bit, and nothing else is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use shardmill_formats::Class;

use crate::checkpoint::{Checkpoint, CheckpointError, PixelStatistics, Progress, RunState};
use crate::net::Model;
use crate::net::config::ModelConfig;
use crate::net::layer::Layer;
use crate::net::scores::Tally;
use crate::net::sgd::Rate;
use crate::recipe::schedule::ScheduleState;
use crate::recipe::setup::Setup;
use crate::recipe::{Mean, Recipe};

fn state() -> RunState {
    let class = |synset: &str| Class {
        synset: synset.to_owned(),
        name: "a \"name\"".to_owned(),
    };
    RunState {
        seed: u64::MAX,
        recipe: Recipe {
            lr: 0.1 + 0.2,
            ..Recipe::default()
        },
        model: ModelConfig {
            classes: 2,
            ..ModelConfig::alexnet()
        },
        classes: vec![class("n01"), class("n02")],
        pixels: PixelStatistics {
            mean: [1.0 / 3.0, 2.0, 3.0],
            std: [1.0; 3],
        },
        schedule: ScheduleState {
            drops: 1,
            best: Some(66.6),
            stale: 4,
            since_step: 3,
            ..ScheduleState::default()
        },
        progress: Progress {
            step: 7,
            window: Tally {
                samples: 3,
                loss: 1e-300,
                top1: 1,
                top5: 2,
            },
            ..Progress::default()
        },
    }
}

fn tensors() -> BTreeMap<String, Tensor> {
    let values: Vec<f32> = (0..6).map(|i| i as f32 * 0.1 - f32::EPSILON).collect();
    let weight = Tensor::from_vec(values, (2, 3), &Device::Cpu).unwrap();
    let bias = Tensor::from_vec(vec![-0.0f32, f32::MIN_POSITIVE], 2, &Device::Cpu).unwrap();
    [
        ("fc8.weight".to_owned(), weight),
        ("velocity.fc8.bias".to_owned(), bias),
    ]
    .into()
}

fn written(folder: &Path) -> Vec<u8> {
    let path = folder.join("last.safetensors");
    Checkpoint::write(&path, &state(), &tensors()).unwrap();
    fs::read(path).unwrap()
}

fn read(folder: &Path, bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let path = folder.join("changed.safetensors");
    fs::write(&path, bytes).unwrap();
    Checkpoint::read(&path)
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn comes_back_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = written(folder.path());
    let checkpoint = read(folder.path(), &bytes).unwrap();
    assert_eq!(checkpoint.state, state());
    let peeked = Checkpoint::peek(&folder.path().join("last.safetensors")).unwrap();
    assert_eq!(peeked, state());
    assert_eq!(checkpoint.tensors.len(), 2);
    for (name, tensor) in tensors() {
        assert_eq!(checkpoint.tensors[&name].dims(), tensor.dims());
        assert_eq!(bits(&checkpoint.tensors[&name]), bits(&tensor), "{name}");
    }
}

#[test]
fn a_recipe_of_before_is_read_as_what_it_was() {
    let mut strings = state().to_strings();
    let mut recipe: serde_json::Value = serde_json::from_str(&strings["recipe"]).unwrap();
    let object = recipe.as_object_mut().unwrap();
    for key in ["cropping", "jitter", "val_split"] {
        assert!(object.remove(key).is_some(), "{key}");
    }
    strings.insert("recipe".to_owned(), recipe.to_string());
    assert_eq!(RunState::from_strings(&strings), Ok(state()));
}

#[test]
fn equal_states_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(written(folder.path()), written(folder.path()));
}

#[test]
fn leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    let path = folder.path().join("last.safetensors");
    let best = folder.path().join("best.safetensors");
    Checkpoint::link(&path, &best).unwrap();
    Checkpoint::link(&path, &best).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&best).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_failed_write_keeps_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let bytes = written(folder.path());
    let wrong = Tensor::new(&[1u32], &Device::Cpu).unwrap();
    let wrong = [("fc8.bias".to_owned(), wrong)].into();
    let result = Checkpoint::write(&path, &state(), &wrong);
    assert!(matches!(result, Err(CheckpointError::Tensor { .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn every_cut_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = written(folder.path());
    for length in 0..bytes.len() {
        let result = read(folder.path(), &bytes[..length]);
        assert!(
            matches!(result, Err(CheckpointError::Malformed { .. })),
            "{length} bytes"
        );
    }
}

#[test]
fn every_flipped_bit_in_the_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = written(folder.path());
    let data = bytes.len() - 8 * size_of::<f32>();
    for i in data..bytes.len() {
        let mut changed = bytes.clone();
        changed[i] ^= 1 << (i % 8);
        let result = read(folder.path(), &changed);
        assert!(
            matches!(result, Err(CheckpointError::Checksum { .. })),
            "byte {i}"
        );
    }
}

#[test]
fn a_changed_recipe_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = "momentum\\\":0.9";
    let bytes = written(folder.path());
    let at = bytes
        .windows(text.len())
        .position(|window| window == text.as_bytes())
        .unwrap();
    let mut changed = bytes.clone();
    changed[at + text.len() - 1] = b'8';
    let result = read(folder.path(), &changed);
    assert!(matches!(result, Err(CheckpointError::Checksum { .. })));
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = safetensors::serialize(tensors(), None).unwrap();
    for bytes in [&b"not a checkpoint at all"[..], &[], &foreign] {
        assert!(matches!(
            read(folder.path(), bytes),
            Err(CheckpointError::Malformed { .. })
        ));
    }
    let missing = Checkpoint::read(&folder.path().join("none"));
    assert!(matches!(missing, Err(CheckpointError::Missing { .. })));
}

/// The recipe and the network of a checkpoint of `--recipe net145` as they were written before there
/// was a choice of how the mean image is cut, of normalisation within columns, and of a frozen conv1.
const OLD_RECIPE: &str = r#"{"epochs":91,"batch_size":128,"lr":0.01,"sgd":{"momentum":0.9,"weight_decay":0.0005,"bias_lr_factor":2.0,"bias_lr":0.02,"bias_decay":false},"schedule":{"kind":"steps","factor":10.0,"milestones":[25,51,79]},"flip":true,"draw_every":32,"color_std":0.1,"color_until":67,"color_divisor":1.1,"accumulate":1,"linear_lr":false,"conv1_lr":[{"after":67,"lr":0.00001},{"after":72,"lr":0.0}],"freeze":[],"mean":"channel","scale":"mean-only"}"#;
const OLD_MODEL: &str = r#"{"variant":"alexnet","classes":2,"input_size":67,"width":0.1,"columns":2,"lrn":{"size":5,"k":2.0,"alpha":0.0001,"beta":0.75},"map_norm":{"size":5,"k":1.0,"alpha":0.001,"beta":0.75},"conv1_order":"activation-last","conv5_pool_first":true,"init":{"std":0.01,"std_middle":0.03,"bias":1.0},"pooling":"overlapping","activation":"relu","dropout":0.5,"removed_conv":null,"conv1_padding":"right-bottom"}"#;

#[test]
fn a_checkpoint_of_net_145_from_before_goes_on_as_what_it_was() {
    let mut strings = state().to_strings();
    strings.insert("recipe".to_owned(), OLD_RECIPE.to_owned());
    strings.insert("model".to_owned(), OLD_MODEL.to_owned());
    let RunState { recipe, model, .. } = RunState::from_strings(&strings).unwrap();
    // The channels' mean, normalisation across both columns, and momentum that runs out at a rate of 0.
    assert_eq!(recipe.mean, Mean::Channel);
    assert!(!model.lrn_within_columns);
    let network = Model::new(&model, 1).unwrap();
    let widths = network.layers().iter().filter_map(|layer| match layer {
        Layer::Lrn(norm) => Some((norm.channels, norm.column_channels())),
        _ => None,
    });
    assert_eq!(widths.collect::<Vec<_>>(), [(8, 8), (24, 24)]);
    let conv1 = &network.parameters()[0];
    let decay = recipe.sgd.weight_decay;
    let rates = [71, 72].map(|finished| recipe.rate(conv1, 1e-4, finished));
    let lr = [1e-5, 0.0];
    assert_eq!(rates, lr.map(|lr| Some(Rate { lr, decay })));
    let text = recipe.to_string();
    assert!(
        text.contains("conv1 at 0 after epoch 72, its momentum runs out"),
        "{text}"
    );
    // In all else it is the recipe of today.
    let mut today = Setup::named("net145").unwrap();
    today.recipe.mean = Mean::Channel;
    today.recipe.conv1_lr[1].frozen = false;
    assert_eq!(recipe, today.recipe);
    // What is written from here says so in words.
    let again = RunState::from_strings(
        &RunState {
            recipe,
            model,
            ..state()
        }
        .to_strings(),
    );
    assert_eq!(again.unwrap().recipe, today.recipe);
}
