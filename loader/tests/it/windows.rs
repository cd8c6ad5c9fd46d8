//! Of a record no more is decoded than is shown, and the pixels are those of the whole record.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use shardmill_formats::{Codec, Decoder, RecordShape, ShardIndex};
use shardmill_loader::{ColorJitter, Dataset, Layout, LoaderBuilder, Output, Policy, Verify};

use crate::{builder, dataset, kit};

/// A policy, the views of each sample, and whether colours are jittered.
type Augmentation = (Policy, usize, bool);

fn augmentations() -> Vec<Augmentation> {
    let train = |crop| Policy::Train {
        crop,
        flip: true,
        color_std: 0.1,
    };
    let resized = Policy::RandomResizedCrop {
        crop: 13,
        scale: (0.08, 1.0),
        ratio: (0.75, 4.0 / 3.0),
        flip: true,
        color_std: 0.1,
    };
    vec![
        (train(16), 1, false),
        (train(1), 1, false),
        (train(16), 3, false),
        (train(16), 1, true),
        (resized, 1, false),
        (resized, 2, false),
        (resized, 2, true),
        (Policy::Center { crop: 11 }, 1, false),
        (Policy::TwoView { crop: 11 }, 1, false),
        (Policy::TenView { crop: 16 }, 1, false),
    ]
}

fn augmented(dataset: &Dataset, (policy, views, jittered): Augmentation) -> LoaderBuilder {
    let builder = builder(dataset).policy(policy).views(views);
    if !jittered {
        return builder;
    }
    builder.color_jitter(ColorJitter {
        brightness: 0.4,
        contrast: 0.4,
        saturation: 0.4,
        hue: 0.1,
    })
}

fn bytes(builder: LoaderBuilder) -> Vec<Vec<u8>> {
    let loader = builder.threads(0).build().unwrap();
    let batches = loader.epoch(2);
    batches
        .map(|batch| batch.unwrap().image_bytes().to_vec())
        .collect()
}

#[test]
fn windows_have_the_pixels_of_the_whole_record() {
    for codec in Codec::ALL {
        let (_folder, dataset) = dataset(codec);
        for augmentation in augmentations() {
            for (output, layout) in [
                (Output::U8, Layout::Nhwc),
                (Output::F32, Layout::Nchw),
                (Output::Bf16, Layout::Nhwc),
            ] {
                let builder = augmented(&dataset, augmentation)
                    .output(output)
                    .layout(layout);
                // A transform is given the whole record.
                let whole = builder.clone().transform(|sample| {
                    assert_eq!(sample.pixels().len(), kit::SHAPE.bytes());
                    Ok(())
                });
                assert!(
                    bytes(builder) == bytes(whole),
                    "{codec} {augmentation:?} {output:?} {layout:?}"
                );
            }
        }
    }
}

/// One record of 64x64 pixels in JPEG.
fn write_large(folder: &Path) -> PathBuf {
    let plan = kit::Plan {
        codec: Codec::Jpeg,
        shape: RecordShape {
            height: 64,
            width: 64,
        },
        shards: &[1],
        classes: 1,
        key: |_, _| "only".to_owned(),
        pixels: |_| (0..64 * 64 * 3).map(|i| (i * i / 97) as u8).collect(),
    };
    kit::write_plan(folder, &plan);
    folder.join("train-00000-of-00001.safetensors")
}

#[test]
fn damage_outside_the_window_is_found_by_the_checksum_and_costs_no_pixel_of_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_large(folder.path());
    let center = |verify| {
        let dataset = Dataset::open(folder.path(), "train").unwrap();
        let policy = Policy::Center { crop: 8 };
        let builder = builder(&dataset).batch_size(1).policy(policy);
        let loader = builder.verify(verify).threads(0).build().unwrap();
        let batch = loader.epoch(0).next().unwrap();
        batch.map(|batch| batch.image_bytes().to_vec())
    };
    let sound = center(Verify::FirstRead).unwrap();
    let shard = fs::read(&path).unwrap();
    let index = ShardIndex::parse(&shard).unwrap();
    // In the last row of blocks, which the centre does not need: a marker that has no place there.
    let end = index.record_range(&shard, 0).end as u64;
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(end - 20)).unwrap();
    file.write_all(&[0xFF, 0xD0]).unwrap();
    drop(file);
    let error = center(Verify::FirstRead).unwrap_err();
    assert!(error.is_bad_record(), "{error}");
    assert_eq!(center(Verify::Never).unwrap(), sound);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let mut decoder = Decoder::new(dataset.codec(), dataset.shape());
    let mut rgb = vec![0; dataset.shape().bytes()];
    let whole = decoder.decode(&shard_record(&path), &mut rgb);
    assert!(whole.is_err(), "all of the record is damaged");
}

fn shard_record(path: &Path) -> Vec<u8> {
    let shard = fs::read(path).unwrap();
    let index = ShardIndex::parse(&shard).unwrap();
    index.record(&shard, 0).to_vec()
}
