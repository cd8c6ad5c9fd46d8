//! Mean images in exchanged files.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use shardmill_trainer::internals::MeanCut;
use shardmill_trainer::internals::Model;
use shardmill_trainer::internals::exchange::{MEAN_IMAGE, Naming, export, import};
use shardmill_trainer::settings::Mean;
use shardmill_trainer::{Checkpoint, ModelConfig};

use crate::numerics::oracle::numbers;
use crate::numerics::torchvision::{checkpoint, flat, load};

/// A checkpoint of the paper's network, narrow, whose inputs are less a mean image of this side.
fn with_mean_image(mean: Mean, side: usize) -> (Checkpoint, Tensor) {
    let config = ModelConfig {
        width: 0.05,
        input_size: 67,
        classes: 3,
        ..ModelConfig::alexnet()
    };
    let mut checkpoint = checkpoint(&Model::new(&config, 7).unwrap());
    checkpoint.state.recipe.mean = mean;
    let image = Tensor::from_vec(numbers(side * side * 3, 5), (side, side, 3), &Device::Cpu);
    let image = image.unwrap();
    let name = "mean_image".to_owned();
    checkpoint.tensors.insert(name, image.clone());
    (checkpoint, image)
}

#[test]
fn a_mean_image_goes_out_in_pytorchs_layout_and_comes_back() {
    for (mean, cut) in [
        (Mean::Image, MeanCut::Window),
        (Mean::ImageCenter, MeanCut::Center),
    ] {
        let (checkpoint, image) = with_mean_image(mean, 72);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("exported.safetensors");
        let shape = export(&checkpoint, Naming::Pytorch, &path).unwrap();
        assert_eq!(shape.as_deref(), Some(&[3, 72, 72][..]));
        let exported = load(&path);
        let found = &exported[MEAN_IMAGE];
        assert_eq!(found.dims(), [3, 72, 72]);
        // Channel 2 of the pixel in row 5, column 11.
        assert_eq!(
            flat(found)[(2 * 72 + 5) * 72 + 11],
            flat(&image)[(5 * 72 + 11) * 3 + 2]
        );
        let imported = import(&path, Naming::Pytorch, &ModelConfig::default()).unwrap();
        assert_eq!(imported.described.unwrap().mean, mean);
        let back = imported.mean_image.unwrap();
        assert_eq!((back.side(), back.cut()), (72, cut));
        assert_eq!(back.values(), flat(&image));
        assert_eq!(
            flat(&Checkpoint::weights(&imported.model, Some(&back)).unwrap()[MEAN_IMAGE]),
            flat(&image)
        );
    }
}

/// An exported file with some of its tensors changed.
fn change(path: &Path, change: impl Fn(&mut HashMap<String, Tensor>)) {
    let bytes = fs::read(path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let mut tensors = load(path);
    change(&mut tensors);
    safetensors::serialize_to_file(&tensors, header.metadata().clone(), path).unwrap();
}

#[test]
fn a_mean_image_that_is_missing_or_of_another_shape_or_not_announced_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported.safetensors");
    let refused = |change_to: &dyn Fn(&mut HashMap<String, Tensor>), mean: Mean| {
        let _ = fs::remove_file(&path);
        let (checkpoint, _) = with_mean_image(mean, 72);
        export(&checkpoint, Naming::Pytorch, &path).unwrap();
        change(&path, change_to);
        match import(&path, Naming::Pytorch, &ModelConfig::default()) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        }
    };
    let image = |shape: [usize; 3]| Tensor::zeros(&shape, DType::F32, &Device::Cpu).unwrap();
    let put = |shape| {
        move |tensors: &mut HashMap<String, Tensor>| {
            tensors.insert(MEAN_IMAGE.to_owned(), image(shape));
        }
    };
    let without = |tensors: &mut HashMap<String, Tensor>| drop(tensors.remove(MEAN_IMAGE));
    let text = refused(&without, Mean::ImageCenter);
    assert!(text.contains("no tensor mean_image"), "{text}");
    for shape in [[3, 72, 71], [72, 72, 3], [3, 66, 66]] {
        let text = refused(&put(shape), Mean::Image);
        assert!(
            text.contains(&format!("{shape:?}")) && text.contains("at least 67"),
            "{text}"
        );
    }
    let text = refused(&put([3, 72, 72]), Mean::Channel);
    assert!(
        text.contains("mean_image that the network has no place for"),
        "{text}"
    );
}

#[test]
fn a_file_from_before_there_was_a_choice_of_means_has_the_channels() {
    let (checkpoint, _) = with_mean_image(Mean::Channel, 72);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported.safetensors");
    export(&checkpoint, Naming::Pytorch, &path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    let json = metadata.get_mut("shardmill").unwrap();
    let old = json.replace(r#","mean":"channel"}"#, "}");
    assert_ne!(*json, old);
    *json = old;
    safetensors::serialize_to_file(&load(&path), Some(metadata), &path).unwrap();
    let imported = import(&path, Naming::Pytorch, &ModelConfig::default()).unwrap();
    assert_eq!(imported.described.unwrap().mean, Mean::Channel);
    assert_eq!(imported.mean_image, None);
}
