use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use shardmill_formats::{Codec, ShardIndex};

use super::*;
use crate::{BadRecord, ColorJitter, Dataset, Loader, LoaderBuilder, Policy, kit};

/// Everything that a batch holds.
#[derive(Debug, PartialEq)]
struct Contents {
    pixels: Vec<u8>,
    shifts: Vec<[u32; 3]>,
    areas: Vec<Area>,
    labels: Vec<i64>,
    samples: Vec<u64>,
    replaced: Vec<Replaced>,
}

fn contents(batch: &Batch) -> Contents {
    let shifts = batch.color_shift().iter();
    Contents {
        pixels: batch.image_bytes().to_vec(),
        shifts: shifts.map(|s| s.map(f32::to_bits)).collect(),
        areas: batch.areas().to_vec(),
        labels: batch.labels().to_vec(),
        samples: batch.indices().to_vec(),
        replaced: batch.replaced().to_vec(),
    }
}

/// Writes to everything, in what a user reaches and in what he does not.
fn scribble(batch: &mut Batch) {
    batch.image_bytes_mut().fill(0xA5);
    batch.color_shift_mut().fill([f32::NAN; 3]);
    batch.labels_mut().fill(i64::MIN);
    let Buffers {
        areas,
        samples,
        replaced,
        ..
    } = &mut batch.buffers;
    areas.fill(Area {
        top: u32::MAX,
        left: u32::MAX,
        height: u32::MAX,
        width: u32::MAX,
        flip: true,
    });
    samples.fill(u64::MAX);
    replaced.resize(
        100,
        Replaced {
            place: usize::MAX,
            bad: u64::MAX,
            by: u64::MAX,
        },
    );
}

/// Damages record 4 of the last shard.
fn damage(folder: &Path) {
    let path = folder.join("train-00002-of-00003.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let at = ShardIndex::parse(&bytes).unwrap().record_range(&bytes, 4);
    bytes[at.start + 9] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
}

fn policies() -> [Policy; 3] {
    [
        Policy::Train {
            crop: 16,
            flip: true,
            color_std: 0.1,
        },
        Policy::RandomResizedCrop {
            crop: 13,
            scale: (0.08, 1.0),
            ratio: (0.75, 4.0 / 3.0),
            flip: true,
            color_std: 0.1,
        },
        Policy::TenView { crop: 16 },
    ]
}

#[test]
fn what_is_written_to_a_batch_reaches_no_other() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    damage(folder.path());
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    for policy in policies() {
        for output in [Output::F32, Output::F16, Output::Bf16, Output::U8] {
            // Batches of 5: the last holds 3, and what it leaves behind serves a larger one.
            let mut builder: LoaderBuilder = Loader::builder(dataset.clone())
                .batch_size(5)
                .policy(policy)
                .output(output)
                .on_bad_record(BadRecord::Replace);
            if policy.color_std().is_some() {
                builder = builder.color_jitter(ColorJitter {
                    brightness: 0.4,
                    contrast: 0.4,
                    saturation: 0.4,
                    hue: 0.1,
                });
            }
            let epochs = |threads: usize, spoil: fn(&mut Batch)| {
                let loader = builder.clone().threads(threads).build().unwrap();
                let (mut all, mut places, mut batches) = (Vec::new(), BTreeSet::new(), 0);
                for epoch in 0..3 {
                    for batch in loader.epoch(epoch) {
                        let mut batch = batch.unwrap();
                        all.push(contents(&batch));
                        places.insert(batch.image_bytes().as_ptr().addr());
                        batches += 1;
                        spoil(&mut batch);
                    }
                }
                assert!(places.len() < batches, "no buffer was used again");
                all
            };
            // Without threads every batch after the first has the first one's buffers.
            let clean = epochs(0, |_| ());
            assert!(clean.iter().any(|batch| !batch.replaced.is_empty()));
            for threads in [0, 2] {
                assert!(
                    epochs(threads, scribble) == clean,
                    "{policy:?}, {output:?}, {threads} threads"
                );
            }
        }
    }
}

#[test]
fn the_memory_to_write_to_is_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let batch = |output| {
        let builder = Loader::builder(dataset.clone()).policy(policies()[0]);
        let loader = builder.output(output).build().unwrap();
        loader.epoch(0).next().unwrap().unwrap()
    };
    let mut floats = batch(Output::F32);
    floats.images_f32_mut()[7] = 1.5;
    assert_eq!(floats.images_f32()[7], 1.5);
    floats.labels_mut()[3] = -9;
    let at = floats.image_bytes().as_ptr();
    let mut moved = std::thread::spawn(move || floats).join().unwrap();
    assert_eq!(
        (moved.labels()[3], moved.image_bytes_mut().as_ptr()),
        (-9, at)
    );
    assert_eq!(moved.image_bytes_mut().len(), moved.images_f32().len() * 4);
    let mut halves = batch(Output::F16);
    halves.images_f16_mut()[7] = f16::from_f32(1.5);
    assert_eq!(halves.images_f16()[7].to_f32(), 1.5);
    let mut brains = batch(Output::Bf16);
    brains.images_bf16_mut()[7] = bf16::from_f32(1.5);
    assert_eq!(brains.images_bf16()[7].to_f32(), 1.5);
    let mut bytes = batch(Output::U8);
    bytes.images_u8_mut()[7] = 77;
    bytes.color_shift_mut()[1] = [1.0, 2.0, 3.0];
    assert_eq!(
        (bytes.images_u8()[7], bytes.color_shift()[1]),
        (77, [1.0, 2.0, 3.0])
    );
    assert_eq!(bytes.color_shift().len(), bytes.rows());
}

#[test]
#[should_panic(expected = "this loader gives U8: use images_u8_mut")]
fn the_wrong_accessor_to_write_through_says_which_is_right() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let builder = Loader::builder(dataset).policy(policies()[0]);
    let loader = builder.output(Output::U8).build().unwrap();
    let _ = loader.epoch(0).next().unwrap().unwrap().images_f32_mut();
}
