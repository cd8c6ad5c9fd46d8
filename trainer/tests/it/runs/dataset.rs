//! A tiny dataset and a narrow network that trains on it in a moment.

use std::fs::{self, File};
use std::path::Path;

use shardmill_formats::{
    ChannelSums, Class, Codec, MANIFEST_FILE, Manifest, Philox, Preprocessing, RecordShape,
    Rejects, ShardEntry, ShardMetadata, ShardWriter, Source, Split, SplitStatistics, Stream,
    shard_file_name,
};
use shardmill_trainer::settings::ScheduleConfig;
use shardmill_trainer::{ModelConfig, Recipe, TrainOptions};

/// Side of a record; the network sees 64 of it.
pub(crate) const SIDE: u32 = 70;

pub(crate) const CLASSES: [&str; 3] = ["n01", "n02", "n03"];

/// Writes a dataset with a training split, two splits to validate on, and one without labels.
pub(crate) fn write(dir: &Path, classes: &[&str]) {
    let splits = [("train", 22), ("val", 9), ("test", 2), ("held-out", 5)];
    write_splits(dir, classes, &splits);
}

/// Writes a dataset of these splits with so many records each; `test` has no labels.
pub(crate) fn write_splits(dir: &Path, classes: &[&str], splits: &[(&str, u64)]) {
    fs::create_dir_all(dir).unwrap();
    let mut manifest = Manifest {
        format: Manifest::format_name(),
        version: Manifest::format_version(),
        codec: Codec::Raw,
        jpeg_quality: None,
        height: SIDE,
        width: SIDE,
        preprocessing: Preprocessing {
            geometry: "none".to_owned(),
            filter: "none".to_owned(),
            decoder: "none".to_owned(),
            resizer: "none".to_owned(),
            exif: None,
            truncated: None,
        },
        classes: classes
            .iter()
            .map(|&synset| Class {
                synset: synset.to_owned(),
                name: synset.to_owned(),
            })
            .collect(),
        splits: [].into(),
        statistics: None,
        source: Source {
            layout: "made up".to_owned(),
            images: 0,
        },
        rejects: Rejects::default(),
        seed: 1,
        prep_version: "0".to_owned(),
    };
    for (number, (split, records)) in splits.iter().enumerate() {
        let (entry, sums) = shard(dir, split, *records, number as u64, classes.len() as u64);
        if *split == "train" {
            manifest.statistics = Some(SplitStatistics {
                split: "train".to_owned(),
                pixels: sums.pixels,
                statistics: sums.statistics().unwrap(),
            });
        }
        manifest.splits.insert((*split).to_owned(), entry);
    }
    fs::write(dir.join(MANIFEST_FILE), manifest.to_json()).unwrap();
}

fn shard(dir: &Path, split: &str, records: u64, number: u64, classes: u64) -> (Split, ChannelSums) {
    let shape = RecordShape {
        height: SIDE,
        width: SIDE,
    };
    let metadata = ShardMetadata {
        codec: Codec::Raw,
        shape,
        split: split.to_owned(),
        shard: 0,
        shards: 1,
        classes,
        fingerprint: "made up".to_owned(),
        sums: ChannelSums::default(),
    };
    let name = shard_file_name(split, 0, 1);
    let mut options = File::options();
    let file = options
        .create_new(true)
        .read(true)
        .write(true)
        .open(dir.join(&name))
        .unwrap();
    let mut writer = ShardWriter::new(file, metadata).unwrap();
    let mut sums = ChannelSums::default();
    let labelled = split != "test";
    let philox = Philox::new(number, Stream::Demo);
    for record in 0..records {
        let label = if labelled {
            (record % classes) as i64
        } else {
            -1
        };
        let image: Vec<u8> = (0..shape.bytes())
            .map(|i| {
                // Stripes as wide as the label says, under noise.
                let stripe = (i / 3 / (4 << label.max(0)) % 2) as u8 * 100;
                stripe + (philox.block(i as u64, record as u32)[0] % 100) as u8
            })
            .collect();
        sums.add_image(&image);
        writer
            .append(&format!("{split}/{record}"), label, &image)
            .unwrap();
    }
    let (_, summary) = writer.finish(&sums).unwrap();
    let entry = ShardEntry {
        file: name,
        records,
        bytes: summary.bytes,
        index_crc32c: format!("{:08x}", summary.index_crc32c),
        blake3: summary.blake3,
    };
    (
        Split {
            records,
            labelled,
            shards: vec![entry],
        },
        sums,
    )
}

/// Three epochs of six steps, the last of each with two images, with log lines out of step with
/// both, and a rate that falls on the way.
pub(crate) fn options(shards: &Path, run: &Path) -> TrainOptions {
    let mut options = TrainOptions::new(shards, run);
    options.recipe = Recipe {
        epochs: 3,
        batch_size: 4,
        lr: 0.001,
        schedule: ScheduleConfig::steps(vec![2]),
        ..Recipe::default()
    };
    options.model = ModelConfig {
        width: 0.05,
        input_size: 64,
        ..ModelConfig::alexnet()
    };
    options.log_every = 4;
    options
}
