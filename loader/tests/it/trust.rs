//! Damaged records that are replaced or not looked for, and shards that are cut short while they are
//! mapped.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::time::Duration;

use shardmill_formats::{Causes, Codec, ShardIndex};
use shardmill_loader::{BadRecord, Dataset, Loader, LoaderError, Order, Verify};
use tempfile::TempDir;

use crate::damage::flip;
use crate::{builder, dataset, kit};

/// A dataset of which these samples are damaged.
fn damaged(codec: Codec, samples: &[u64]) -> (TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), codec);
    for &sample in samples {
        let (mut shard, mut record) = (0, sample as usize);
        while record >= kit::SHARDS[shard] {
            record -= kit::SHARDS[shard];
            shard += 1;
        }
        let path = folder
            .path()
            .join(format!("train-{shard:05}-of-00003.safetensors"));
        let bytes = fs::read(&path).unwrap();
        let index = ShardIndex::parse(&bytes).unwrap();
        flip(&path, index.record_range(&bytes, record).start as u64 + 11);
    }
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    (folder, dataset)
}

#[test]
fn bad_records_are_replaced_the_same_way_for_any_threads_and_counted() {
    let bad = [2, 9, 14, 22];
    for codec in Codec::ALL {
        let (_folder, dataset) = damaged(codec, &bad);
        let all = |threads, epoch| {
            let builder = builder(&dataset).threads(threads);
            let loader = builder.on_bad_record(BadRecord::Replace).build().unwrap();
            let mut batches = loader.epoch(epoch);
            let mut found = Vec::new();
            for batch in &mut batches {
                let batch = batch.unwrap();
                let bits: Vec<u32> = batch.images_f32().iter().map(|v| v.to_bits()).collect();
                for replaced in batch.replaced() {
                    assert_eq!(batch.indices()[replaced.place], replaced.by);
                    assert_eq!(batch.labels()[replaced.place], dataset.label(replaced.by));
                    assert!(bad.contains(&replaced.bad) && !bad.contains(&replaced.by));
                }
                found.push((bits, batch.labels().to_vec(), batch.replaced().to_vec()));
            }
            assert_eq!(batches.meter().replaced, bad.len() as u64);
            found
        };
        let oracle = all(0, 0);
        assert_eq!(oracle, all(1, 0));
        assert_eq!(oracle, all(4, 0));
        let by = |epochs: &[(Vec<u32>, Vec<i64>, Vec<_>)]| {
            let replaced = epochs.iter().flat_map(|(_, _, replaced)| replaced.clone());
            replaced.collect::<Vec<shardmill_loader::Replaced>>()
        };
        assert_eq!(by(&oracle).len(), bad.len());
        let by_other = by(&all(2, 1));
        let same = |r: &shardmill_loader::Replaced| {
            by(&oracle).iter().any(|o| (o.bad, o.by) == (r.bad, r.by))
        };
        assert!(!by_other.iter().all(same), "each epoch draws for itself");
    }
}

#[test]
fn a_dataset_of_bad_records_stops_even_when_they_may_be_replaced() {
    let all: Vec<u64> = (0..kit::SAMPLES as u64).collect();
    let (_folder, dataset) = damaged(Codec::Raw, &all);
    let loader = builder(&dataset).on_bad_record(BadRecord::Replace);
    let loader = loader.threads(2).build().unwrap();
    let error = loader.epoch(0).next().unwrap().unwrap_err();
    assert!(error.is_bad_record(), "{error}");
}

#[test]
fn verification_can_be_switched_off() {
    let (_folder, dataset) = damaged(Codec::Raw, &[9]);
    let loader = builder(&dataset).verify(Verify::Never).build().unwrap();
    assert_eq!(loader.epoch(0).filter(Result::is_ok).count(), 6);
    let loader = builder(&dataset).threads(2).build().unwrap();
    let error = loader.epoch(0).find_map(Result::err).unwrap();
    assert!(
        error.is_bad_record() && Causes(&error).to_string().contains("9.JPEG"),
        "{error}"
    );
}

fn cut(codec: Codec) -> (TempDir, Loader, PathBuf, u64) {
    let (folder, dataset) = dataset(codec);
    let loader = builder(&dataset).order(Order::Sequential).threads(0);
    let loader = loader.build().unwrap();
    let path = folder.path().join("train-00002-of-00003.safetensors");
    let len = path.metadata().unwrap().len();
    (folder, loader, path, len)
}

/// The first batches are in other shards, so nothing here reads what is no longer there.
#[test]
fn a_shard_that_is_cut_short_under_its_map_ends_the_epoch() {
    let (_folder, loader, path, len) = cut(Codec::Raw);
    let mut batches = loader.epoch(0);
    batches.next().unwrap().unwrap();
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(len / 2)
        .unwrap();
    std::thread::sleep(Duration::from_millis(120));
    let error = batches
        .find_map(Result::err)
        .expect("the cut went unnoticed");
    assert!(matches!(error, LoaderError::Truncated { expected, .. } if expected == len));
    assert!(error.to_string().contains("train-00002"), "{error}");
    assert!(batches.next().is_none());
}

#[test]
fn a_shard_that_is_replaced_by_renaming_changes_nothing() {
    let (folder, loader, path, _) = cut(Codec::Zstd);
    let labels = |loader: &Loader| {
        let batches = loader
            .epoch(0)
            .map(|batch| batch.unwrap().labels().to_vec());
        batches.collect::<Vec<_>>()
    };
    let before = labels(&loader);
    let other = folder.path().join("other");
    fs::write(&other, b"short").unwrap();
    fs::rename(&other, &path).unwrap();
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(labels(&loader), before);
    fs::remove_file(&path).unwrap();
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(labels(&loader), before);
}
