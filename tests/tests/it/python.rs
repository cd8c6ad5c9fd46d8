//! The batches that the Python package has to give: `python/tests/batches.json` holds their checksums, made
//! here, and pytest compares them. With `SHARDMILL_WRITE_FIXTURES` set, the file is rewritten.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use shardmill_loader::{
    ColorJitter, Dataset, LastBatch, Layout, Loader, LoaderBuilder, Normalize, Order, Output,
    Policy,
};
use shardmill_prep::{DatasetWriter, Image, Sample, WriteOptions, class_list};

/// As in `python/tests/conftest.py`.
const SIDE: u32 = 40;
const SAMPLES: u32 = 131;
const CLASSES: u32 = 7;
const EPOCHS: u64 = 2;

/// The pixels of a sample, as `picture` in `python/tests/conftest.py` makes them.
fn picture(number: u32) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            for c in 0..3 {
                let value = number * 31 + y * 5 + x * (3 + number % 4) + c * 67 + x * y % 11;
                pixels.push((value % 256) as u8);
            }
        }
    }
    pixels
}

fn write(out: &Path) {
    let names: Vec<String> = (0..CLASSES).map(|class| format!("class{class}")).collect();
    let mut options = WriteOptions::new(class_list(&names).unwrap());
    options.size = SIDE;
    options.shard_records = 50;
    let mut writer = DatasetWriter::create(out, options).unwrap();
    for number in 0..SAMPLES {
        let class = number % CLASSES;
        let image = Image::Pixels {
            width: SIDE,
            height: SIDE,
            channels: 3,
            pixels: picture(number),
        };
        let sample = Sample {
            image,
            label: i64::from(class),
            key: Some(format!("class{class}/{number:04}.png")),
        };
        writer.push("train", sample).unwrap();
    }
    writer.finish().unwrap();
}

/// `augment="alexnet", crop=24` in Python.
const ALEXNET: Policy = Policy::Train {
    crop: 24,
    flip: true,
    color_std: 0.1,
};

/// Settings of a loader in Python's words and in Rust's.
type Case = (Value, fn(LoaderBuilder) -> LoaderBuilder);

const CASES: [fn() -> Case; 7] = [
    || {
        (
            json!({"augment": "alexnet", "crop": 24, "batch_size": 16, "seed": 3, "layout": "nhwc"}),
            |loader| {
                loader
                    .policy(ALEXNET)
                    .batch_size(16)
                    .seed(3)
                    .layout(Layout::Nhwc)
            },
        )
    },
    || {
        (
            json!({
                "augment": "random_resized_crop", "crop": 32, "batch_size": 20, "output": "uint8",
                "color_jitter": [0.4, 0.3, 0.2, 0.1],
            }),
            |loader| {
                loader
                    .policy(Policy::RandomResizedCrop {
                        crop: 32,
                        scale: (0.08, 1.0),
                        ratio: (3.0 / 4.0, 4.0 / 3.0),
                        flip: true,
                        color_std: 0.0,
                    })
                    .color_jitter(ColorJitter {
                        brightness: 0.4,
                        contrast: 0.3,
                        saturation: 0.2,
                        hue: 0.1,
                    })
                    .batch_size(20)
                    .output(Output::U8)
                    .layout(Layout::Nchw)
            },
        )
    },
    || {
        (
            json!({"augment": "ten_view", "crop": 24, "batch_size": 30, "output": "float16"}),
            |loader| {
                loader
                    .policy(Policy::TenView { crop: 24 })
                    .batch_size(30)
                    .output(Output::F16)
                    .layout(Layout::Nchw)
                    .order(Order::Sequential)
            },
        )
    },
    || {
        (
            json!({
                "augment": "alexnet", "crop": 24, "batch_size": 16, "output": "bfloat16", "views": 2,
                "normalize": "imagenet", "seed": 11,
            }),
            |loader| {
                loader
                    .policy(ALEXNET)
                    .views(2)
                    .batch_size(16)
                    .output(Output::Bf16)
                    .layout(Layout::Nchw)
                    .normalize(Normalize {
                        mean: [123.675, 116.28, 103.53],
                        std: [58.395, 57.12, 57.375],
                    })
                    .seed(11)
            },
        )
    },
    || {
        (
            json!({
                "augment": "fixed_crop", "crop": 32, "batch_size": 8, "order": "blocks", "rank": 1,
                "world_size": 2, "seed": 5,
            }),
            |loader| {
                loader
                    .policy(Policy::FixedCrop {
                        crop: 32,
                        flip: true,
                        color_std: 0.1,
                    })
                    .batch_size(16)
                    .rank(1, 2)
                    .last_batch(LastBatch::Pad)
                    .order(Order::blocks())
                    .layout(Layout::Nchw)
                    .seed(5)
            },
        )
    },
    || {
        (
            json!({"augment": "alexnet", "crop": 24, "batch_size": 32, "draw_every": 8, "last_batch": "drop"}),
            |loader| {
                loader
                    .policy(ALEXNET)
                    .batch_size(32)
                    .draw_every(8)
                    .last_batch(LastBatch::Drop)
                    .layout(Layout::Nchw)
            },
        )
    },
    || {
        (
            json!({"augment": "center", "crop": 40, "batch_size": 131, "output": "uint8"}),
            |loader| {
                loader
                    .policy(Policy::Center { crop: 40 })
                    .batch_size(131)
                    .output(Output::U8)
                    .order(Order::Sequential)
                    .layout(Layout::Nchw)
            },
        )
    },
];

/// CRC-32 (zlib's) of the pixels, the shifts and the labels of every batch.
fn checksums(loader: &Loader) -> Vec<Vec<u32>> {
    let epoch = |number| {
        let batches = loader.epoch(number).map(|batch| {
            let batch = batch.unwrap();
            let mut crc = flate2::Crc::new();
            crc.update(batch.image_bytes());
            for shift in batch.color_shift().iter().flatten() {
                crc.update(&shift.to_le_bytes());
            }
            for label in batch.labels() {
                crc.update(&label.to_le_bytes());
            }
            crc.sum()
        });
        batches.collect()
    };
    (0..EPOCHS).map(epoch).collect()
}

#[test]
fn the_python_package_is_held_to_the_batches_that_rust_gives() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    write(&shards);
    let mut text = "[\n".to_owned();
    for (number, case) in CASES.iter().enumerate() {
        let (settings, build) = case();
        let dataset = Dataset::open(&shards, "train").unwrap();
        let loader = build(Loader::builder(dataset)).build().unwrap();
        let entry = json!({"settings": settings, "epochs": checksums(&loader)});
        let comma = if number + 1 < CASES.len() { "," } else { "" };
        writeln!(text, "  {entry}{comma}").unwrap();
    }
    text += "]\n";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../python/tests/batches.json");
    if std::env::var_os("SHARDMILL_WRITE_FIXTURES").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "{} differs from what the loader gives now: has the stream of batches changed on purpose?\n{text}",
        path.display()
    );
}
