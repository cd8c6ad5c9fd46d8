//! Weights of torchvision's modules, by `tests/reference/torchvision_exchange.py`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use shardmill_formats::Class;
use shardmill_trainer::internals::exchange::{Imported, Naming, export, import};
use shardmill_trainer::internals::{Model, Network};
use shardmill_trainer::state::PixelStatistics;
use shardmill_trainer::{Checkpoint, ModelConfig, RunState};

use crate::numerics::oracle::{distance, wide};

pub(crate) fn load(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

pub(crate) fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

pub(crate) fn checkpoint(model: &Model) -> Checkpoint {
    let class = |label: usize| Class {
        synset: format!("n{label}"),
        name: format!("class {label}"),
    };
    let pixels = PixelStatistics {
        mean: [1.0, 2.0, 3.0],
        std: [4.0, 5.0, 6.0],
    };
    let config = model.config().clone();
    let classes = (0..config.classes).map(class).collect();
    Checkpoint {
        state: RunState::unborn(config, classes, pixels),
        tensors: Checkpoint::weights(model, None).unwrap(),
    }
}

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/fixtures");
    folder.join(format!("{name}.safetensors"))
}

fn reduced() -> ModelConfig {
    ModelConfig {
        width: 0.02,
        input_size: 95,
        ..ModelConfig::alexnet_owt()
    }
}

/// Reads `weights`, and compares the logits of the images in `logits`.
fn check_import(weights: &Path, logits: &Path, config: &ModelConfig) -> Network {
    let imported = import(weights, Naming::Torchvision, config).unwrap();
    assert_eq!(imported.described, None);
    let mut network = Network::new(imported.model);
    let expected = load(logits);
    let found = network.logits(&flat(&expected["images"])).unwrap();
    let distance = distance(&flat(&found), &wide(&flat(&expected["logits"])));
    assert!(
        distance < 1e-4,
        "logits differ by {distance:e} of their norm"
    );
    network
}

#[test]
fn torchvisions_weights_give_torchvisions_logits_and_go_back_unchanged() {
    let weights = fixture("torchvision");
    let network = check_import(&weights, &fixture("torchvision-logits"), &reduced());
    let model = network.model();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported.safetensors");
    export(&checkpoint(model), Naming::Torchvision, &path).unwrap();
    let (before, after) = (load(&weights), load(&path));
    assert_eq!(before.len(), after.len());
    for (name, tensor) in &before {
        assert_eq!(tensor.dims(), after[name].dims(), "{name}");
        assert_eq!(flat(tensor), flat(&after[name]), "{name}");
    }
    // A file that exists is left alone.
    let bytes = fs::read(&path).unwrap();
    assert!(export(&checkpoint(model), Naming::Torchvision, &path).is_err());
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn the_papers_network_goes_out_and_comes_back_with_its_description() {
    let config = ModelConfig {
        width: 0.05,
        input_size: 95,
        classes: 3,
        ..ModelConfig::alexnet()
    };
    let checkpoint = checkpoint(&Model::new(&config, 7).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported.safetensors");
    let refused = export(&checkpoint, Naming::Torchvision, &path).unwrap_err();
    assert!(refused.to_string().contains("alexnet-owt"), "{refused}");
    export(&checkpoint, Naming::Pytorch, &path).unwrap();
    let exported = load(&path);
    assert_eq!(exported["conv2.weight"].dims(), [16, 4, 5, 5]);
    let Imported {
        model, described, ..
    } = import(&path, Naming::Pytorch, &ModelConfig::default()).unwrap();
    let described = described.unwrap();
    assert_eq!(described.model, config);
    assert_eq!(described.classes, checkpoint.state.classes);
    assert_eq!(described.pixels, checkpoint.state.pixels);
    for parameter in model.parameters() {
        let stored = &checkpoint.tensors[parameter.name()];
        assert_eq!(
            flat(parameter.tensor()),
            flat(stored),
            "{}",
            parameter.name()
        );
    }
}

#[test]
fn fig1s_network_goes_out_in_pytorchs_order_and_comes_back() {
    let config = ModelConfig {
        width: 0.25,
        classes: 3,
        ..ModelConfig::fig1()
    };
    let checkpoint = checkpoint(&Model::new(&config, 7).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported.safetensors");
    let refused = export(&checkpoint, Naming::Torchvision, &path).unwrap_err();
    assert!(refused.to_string().contains("alexnet-owt"), "{refused}");
    export(&checkpoint, Naming::Pytorch, &path).unwrap();
    let exported = load(&path);
    assert_eq!(exported["conv3.weight"].dims(), [16, 8, 5, 5]);
    let (own, theirs) = (
        flat(&checkpoint.tensors["fc4.weight"]),
        flat(&exported["fc4.weight"]),
    );
    // Three rows of 4x4 pixels of 16 channels.
    for (at, value) in theirs.iter().enumerate() {
        let (row, channel, pixel) = (at / 256, at % 256 / 16, at % 16);
        assert_eq!(*value, own[row * 256 + pixel * 16 + channel]);
    }
    let imported = import(&path, Naming::Pytorch, &ModelConfig::default()).unwrap();
    assert_eq!(imported.described.unwrap().model, config);
    for parameter in imported.model.parameters() {
        let stored = &checkpoint.tensors[parameter.name()];
        assert_eq!(flat(parameter.tensor()), flat(stored));
    }
}

#[test]
fn files_of_other_networks_are_refused_by_name() {
    let weights = fixture("torchvision");
    let message = |config: &ModelConfig, naming| match import(&weights, naming, config) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    let text = message(&reduced(), Naming::Pytorch);
    assert!(text.contains("no tensor fc8.bias"), "{text}");
    let wider = ModelConfig {
        width: 0.05,
        ..reduced()
    };
    let text = message(&wider, Naming::Torchvision);
    assert!(text.contains("conv") && text.contains("shape"), "{text}");
    let text = message(
        &ModelConfig {
            removed_conv: Some(4),
            ..reduced()
        },
        Naming::Torchvision,
    );
    assert!(text.contains("features.8"), "{text}");
}

/// Run by `just torchvision`, which makes the files before and looks at the export after.
#[test]
#[ignore = "needs the files that `just torchvision` makes"]
fn torchvisions_full_width_agrees() {
    let folder = std::env::var_os("SHARDMILL_TORCHVISION").expect("run by `just torchvision`");
    let folder = Path::new(&folder);
    let (weights, logits) = ["state_dict", "logits"]
        .map(|name| folder.join(format!("{name}.safetensors")))
        .into();
    check_import(&weights, &logits, &ModelConfig::alexnet_owt());

    let model = Model::new(&ModelConfig::alexnet_owt(), 1).unwrap();
    let path = folder.join("exported.safetensors");
    let _ = fs::remove_file(&path);
    export(&checkpoint(&model), Naming::Torchvision, &path).unwrap();
    let found = Network::new(model)
        .logits(&flat(&load(&logits)["images"]))
        .unwrap();
    let found = HashMap::from([("logits", found)]);
    candle_core::safetensors::save(&found, folder.join("exported_logits.safetensors")).unwrap();
}
