//! What single filters and channels of a network do, against the plain definitions.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use shardmill_loader::Dataset;
use shardmill_trainer::analysis::{
    Channel, FilterOptions, OcclusionOptions, PatchOptions, PredictOptions, filters, occlusion,
    patches, predict_split,
};
use shardmill_trainer::internals::Network;
use shardmill_trainer::settings::Activation;
use shardmill_trainer::{Checkpoint, Subject, train};

use crate::runs::dataset::{CLASSES, SIDE, options, write};

/// The network's input.
const INPUT: usize = 64;

struct Work {
    _folder: tempfile::TempDir,
    shards: PathBuf,
    checkpoint: PathBuf,
}

impl Work {
    fn new(activation: Activation) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shards = folder.path().join("shards");
        write(&shards, &CLASSES);
        let mut options = options(&shards, &folder.path().join("run"));
        options.max_steps = Some(2);
        options.model.activation = activation;
        Self {
            checkpoint: train(&options).unwrap().last,
            shards,
            _folder: folder,
        }
    }

    fn subject(&self) -> Subject {
        Subject::new(&self.checkpoint, &self.shards, "train")
    }

    /// Changes the values of a parameter in the checkpoint.
    fn change(&self, name: &str, change: impl FnOnce(&mut [f32])) {
        let mut checkpoint = Checkpoint::read(&self.checkpoint).unwrap();
        let tensor = &checkpoint.tensors[name];
        let shape = tensor.dims().to_vec();
        let mut values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        change(&mut values);
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        checkpoint.tensors.insert(name.to_owned(), tensor);
        Checkpoint::write(&self.checkpoint, &checkpoint.state, &checkpoint.tensors).unwrap();
    }
}

#[test]
fn dead_and_duplicate_filters_are_found() {
    let work = Work::new(Activation::Relu);
    let clean = filters(&FilterOptions::new(work.subject()), |_, _| ())
        .unwrap()
        .unwrap();
    assert_eq!(clean.images, 22);
    let names: Vec<&str> = clean.layers.iter().map(|l| &*l.layer).collect();
    assert_eq!(names, ["conv1", "conv2", "conv3", "conv4", "conv5"]);
    for layer in &clean.layers {
        assert_eq!(layer.duplicates, [], "{}", layer.layer);
    }
    // conv2 has 16 filters in two groups, each of 5 x 5 x 4 weights.
    let len = 5 * 5 * 4;
    work.change("conv2.weight", |weights| {
        weights[3 * len..4 * len].fill(0.0);
        weights.copy_within(0..len, 5 * len);
        // Opposite, and of another length.
        for i in 0..len {
            weights[6 * len + i] = -2.0 * weights[i];
        }
        // In the other group nobody sees the same.
        weights.copy_within(0..len, 9 * len);
    });
    work.change("conv2.bias", |bias| bias[3] = -1.0);
    let found = filters(&FilterOptions::new(work.subject()), |_, _| ())
        .unwrap()
        .unwrap();
    let conv2 = &found.layers[1];
    assert!(
        conv2.dead.contains(&3) && conv2.active[3] == 0.0,
        "{conv2:?}"
    );
    let pairs: Vec<(usize, usize)> = conv2
        .duplicates
        .iter()
        .map(|d| (d.first, d.second))
        .collect();
    assert_eq!(pairs, [(0, 5), (0, 6), (5, 6)]);
    let near = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-6, "{value}");
    near(conv2.duplicates[0].similarity, 1.0);
    near(conv2.duplicates[1].similarity, -1.0);
    assert_eq!(conv2.repeated(), 2);

    // The shares against the outputs themselves.
    let mut options = PredictOptions::new(work.subject());
    options.layer = Some("conv2".to_owned());
    let outputs = predict_split(&options, |_, _| ())
        .unwrap()
        .unwrap()
        .features
        .unwrap();
    let positions = outputs.values.len() / 16;
    for filter in 0..16 {
        let own = outputs.values.iter().skip(filter).step_by(16);
        let active = own.filter(|&&v| v > 0.0).count();
        assert_eq!(conv2.active[filter], active as f64 / positions as f64);
    }
}

#[test]
fn a_saturated_tanh_is_dead() {
    let work = Work::new(Activation::Tanh);
    work.change("conv3.bias", |bias| (bias[0], bias[1]) = (50.0, -50.0));
    let found = filters(&FilterOptions::new(work.subject()), |_, _| ())
        .unwrap()
        .unwrap();
    assert_eq!(found.activation, Activation::Tanh);
    assert!(
        found.layers[2].dead.starts_with(&[0, 1]),
        "{:?}",
        found.layers[2]
    );
}

/// The centre of a record, as the network sees it.
fn input(work: &Work, sample: u64) -> Vec<f32> {
    let dataset = Dataset::open(&work.shards, "train").unwrap();
    let side = SIDE as usize;
    let mut rgb = vec![0; side * side * 3];
    dataset.read(sample, &mut rgb).unwrap();
    let mean = Checkpoint::peek(&work.checkpoint).unwrap().pixels.mean;
    let margin = (side - INPUT) / 2;
    let mut input = Vec::new();
    for row in 0..INPUT {
        for column in 0..INPUT {
            let pixel = ((margin + row) * side + margin + column) * 3;
            for channel in 0..3 {
                input.push(f32::from(rgb[pixel + channel]) - mean[channel] as f32);
            }
        }
    }
    input
}

#[test]
fn a_grey_square_changes_what_the_network_says_of_the_changed_image() {
    let work = Work::new(Activation::Relu);
    let mut options = OcclusionOptions::new(work.subject(), vec![17, 4]);
    (options.side, options.stride) = (Some(20), Some(11));
    let mut last = (0, 0);
    let maps = occlusion(&options, |done, of| last = (done, of))
        .unwrap()
        .unwrap();
    assert_eq!(maps[0].places, [0, 11, 22, 33, 44]);
    assert_eq!(last, (50, 50));
    let model = Checkpoint::read(&work.checkpoint).unwrap().model().unwrap();
    let mut network = Network::new(model);
    let mut probability = |input: &[f32], label: usize| -> f64 {
        let logits: Vec<Vec<f32>> = network.logits(input).unwrap().to_vec2().unwrap();
        let powers: Vec<f64> = logits[0].iter().map(|&v| f64::from(v).exp()).collect();
        powers[label] / powers.iter().sum::<f64>()
    };
    for (map, sample) in maps.iter().zip([17, 4]) {
        assert_eq!((map.sample, map.label), (sample, sample as usize % 3));
        let image = input(&work, sample);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a}, not {b}");
        near(map.whole, probability(&image, map.label));
        for (index, &found) in map.probabilities.iter().enumerate() {
            let (top, left) = (map.places[index / 5], map.places[index % 5]);
            let mut image = image.clone();
            for row in top..top + 20 {
                for column in left..left + 20 {
                    image[(row * INPUT + column) * 3..][..3].fill(0.0);
                }
            }
            near(found, probability(&image, map.label));
        }
        assert!(
            map.probabilities
                .iter()
                .any(|p| (p - map.whole).abs() > 1e-4)
        );
    }
    for (side, stride) in [(0, 1), (65, 1), (4, 0)] {
        (options.side, options.stride) = (Some(side), Some(stride));
        let error = occlusion(&options, |_, _| ()).unwrap_err().to_string();
        assert!(error.contains("64"), "{error}");
    }
    options.samples = vec![22];
    (options.side, options.stride) = (None, None);
    let error = occlusion(&options, |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("22"), "{error}");
}

#[test]
fn the_strongest_patches_are_those_of_the_layers_outputs() {
    let work = Work::new(Activation::Relu);
    let mut options = PatchOptions::new(work.subject());
    options.count = 5;
    let channel = |layer: &str, channel| Channel {
        layer: layer.to_owned(),
        channel,
    };
    options.channels = Some(vec![
        channel("conv2", 7),
        channel("conv4", 0),
        channel("conv2", 1),
    ]);
    let found = patches(&options, |_, _| ()).unwrap().unwrap();
    for found in &found {
        let mut options = PredictOptions::new(work.subject());
        options.layer = Some(found.channel.layer.clone());
        let outputs = predict_split(&options, |_, _| ())
            .unwrap()
            .unwrap()
            .features
            .unwrap();
        // Maps of 7x7 and 3x3 positions.
        let (side, channels) = if found.channel.layer == "conv2" {
            (7, 16)
        } else {
            (3, 16)
        };
        assert_eq!(outputs.len, side * side * channels);
        let mut expected = Vec::new();
        for (sample, image) in outputs.values.chunks(outputs.len).enumerate() {
            let (mut best, mut place) = (0.0, (0, 0));
            for row in 0..side {
                for column in 0..side {
                    let value = image[(row * side + column) * channels + found.channel.channel];
                    if value > best {
                        (best, place) = (value, (row, column));
                    }
                }
            }
            if best > 0.0 {
                expected.push((best, sample as u64, place));
            }
        }
        expected.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap().then(a.1.cmp(&b.1)));
        expected.truncate(5);
        assert!(!expected.is_empty());
        let patches: Vec<_> = found
            .patches
            .iter()
            .map(|p| (p.sample, (p.position.row, p.position.column)))
            .collect();
        let expected: Vec<_> = expected.iter().map(|e| (e.1, e.2)).collect();
        assert_eq!(patches, expected);
        for patch in &found.patches {
            assert_eq!(patch.label, patch.sample as i64 % 3);
            let window = patch.window;
            let margin = (SIDE as usize - INPUT) / 2;
            assert!(window.top >= margin && window.top + window.height <= margin + INPUT);
            assert!(window.left >= margin && window.left + window.width <= margin + INPUT);
        }
    }

    options.channels = None;
    let found = patches(&options, |_, _| ()).unwrap().unwrap();
    let names: Vec<&str> = found.iter().map(|f| &*f.channel.layer).collect();
    assert_eq!(
        names,
        ["conv2", "conv3", "conv4", "conv5"]
            .map(|n| [n; 4])
            .concat()
    );
    for (given, words) in [
        (channel("conv2", 16), "has 16 channels"),
        (channel("conv9", 0), "no layer \"conv9\""),
        (channel("fc7", 0), "has no maps"),
    ] {
        options.channels = Some(vec![given]);
        let error = patches(&options, |_, _| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
