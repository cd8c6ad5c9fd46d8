//! Epochs from an object store: the batches of a folder, whatever the cache, the connections and the
//! processes do.

use std::fs;
use std::path::Path;

use shardmill_formats::{Codec, RecordShape};
use shardmill_loader::{
    Advice, BadRecord, CacheOptions, Dataset, LastBatch, Loader, LoaderError, Order,
};
use tempfile::TempDir;

use crate::server::{Fault, Server};
use crate::{builder, kit};

/// Uneven shards of raw records of 1,440 bytes.
pub(crate) const SHARDS: [usize; 6] = [9, 1, 13, 7, 8, 11];

/// A dataset in a folder, and the same behind a server.
pub(crate) struct Both {
    folder: TempDir,
    pub(crate) server: Server,
    cache: TempDir,
}

impl Both {
    pub(crate) fn new(codec: Codec) -> Self {
        Self::of(codec, |_| {})
    }

    /// A dataset whose folder is changed before the server has it.
    fn of(codec: Codec, change: impl Fn(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plan = kit::Plan {
            codec,
            shape: kit::SHAPE,
            shards: &SHARDS,
            classes: kit::CLASSES,
            key: |sample, class| format!("train/c{class}/{sample}.JPEG"),
            pixels: kit::pixels,
        };
        kit::write_plan(folder.path(), &plan);
        change(folder.path());
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        });
        let files: Vec<_> = files.collect();
        let files: Vec<_> = files
            .iter()
            .map(|(name, bytes)| (&**name, bytes.clone()))
            .collect();
        Self {
            folder,
            server: Server::start(&files),
            cache: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn local(&self) -> Dataset {
        Dataset::open(self.folder.path(), "train").unwrap()
    }

    pub(crate) fn remote(&self, bytes: Option<u64>) -> Dataset {
        let dir = Some(self.cache.path().to_owned());
        let mut options = CacheOptions::default();
        (options.dir, options.bytes) = (dir, bytes);
        Dataset::open_cached(&self.server.address, "train", options).unwrap()
    }
}

/// Everything of some batches that a consumer sees.
pub(crate) type Seen = Vec<(Vec<u8>, Vec<i64>, Vec<u64>, Vec<String>)>;

pub(crate) fn seen(
    batches: impl Iterator<Item = Result<shardmill_loader::Batch, LoaderError>>,
) -> Seen {
    let seen = batches.map(|batch| {
        let batch = batch.unwrap();
        let keys = (0..batch.len()).map(|i| batch.key(i).to_owned());
        (
            batch.image_bytes().to_vec(),
            batch.labels().to_vec(),
            batch.indices().to_vec(),
            keys.collect(),
        )
    });
    seen.collect()
}

fn epochs(loader: &Loader) -> Vec<Seen> {
    (0..3).map(|epoch| seen(loader.epoch(epoch))).collect()
}

#[test]
fn batches_are_those_of_a_folder_in_every_order() {
    for codec in [Codec::Raw, Codec::Zstd, Codec::Jpeg] {
        let both = Both::new(codec);
        let (local, remote) = (both.local(), both.remote(None));
        for order in ["global", "blocks:4x3", "shards:2", "shards:1", "sequential"] {
            for threads in [0, 1, 3] {
                let order = order.parse().unwrap();
                let of = |dataset: &Dataset| {
                    builder(dataset)
                        .order(order)
                        .threads(threads)
                        .build()
                        .unwrap()
                };
                assert_eq!(
                    epochs(&of(&remote)),
                    epochs(&of(&local)),
                    "{codec} {order} {threads}"
                );
            }
        }
    }
}

#[test]
fn a_cache_smaller_than_the_dataset_changes_no_batch() {
    let both = Both::new(Codec::Raw);
    let largest: u64 = {
        let files = fs::read_dir(both.folder.path()).unwrap();
        let sizes = files.map(|entry| entry.unwrap().metadata().unwrap().len());
        sizes.max().unwrap()
    };
    // Batches of 4 in the works reach over small shards, so up to four of the six are open.
    let remote = both.remote(Some(4 * largest));
    let of = |dataset: &Dataset, order| builder(dataset).order(order).threads(2).build().unwrap();
    for order in [Order::Shards { together: 1 }, Order::Sequential] {
        both.server.asked();
        assert_eq!(
            epochs(&of(&remote, order)),
            epochs(&of(&both.local(), order)),
            "{order}"
        );
        let held = fs::read_dir(both.cache.path()).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let shard = entry.file_name().to_string_lossy().ends_with(".shard");
            if shard {
                entry.metadata().unwrap().len()
            } else {
                0
            }
        });
        assert!(held.sum::<u64>() <= 4 * largest);
    }
    // An order that may need any shard at any place has no room.
    let loader = of(&remote, Order::Global);
    let error = loader.epoch(0).next().unwrap().unwrap_err().to_string();
    assert!(
        error.contains("--cache-bytes") && error.contains("--order shards"),
        "{error}"
    );
}

#[test]
fn an_epoch_goes_on_in_the_middle_and_a_loader_is_used_twice() {
    let both = Both::new(Codec::Raw);
    let order = Order::Shards { together: 2 };
    let of = |dataset: &Dataset| builder(dataset).order(order).threads(2).build().unwrap();
    let (local, remote) = (of(&both.local()), of(&both.remote(None)));
    let whole = seen(local.epoch(1));
    assert_eq!(seen(remote.epoch(1).seek(5)), whole[5..]);
    assert_eq!(
        seen(remote.epoch_from(1, 20)),
        seen(local.epoch_from(1, 20))
    );
    // Two epochs of one loader at a time, the second dropped half way.
    let (mut first, mut second) = (remote.epoch(1), remote.epoch(2));
    let mut batches = vec![];
    for i in 0..whole.len() {
        batches.push(first.next().unwrap());
        if i < 3 {
            second.next().unwrap().unwrap();
        }
    }
    drop(second);
    assert_eq!(seen(batches.into_iter()), whole);
}

#[test]
fn the_beginning_fills_the_last_batch_from_shards_that_are_gone() {
    let both = Both::new(Codec::Raw);
    for ranks in [1, 2] {
        let of = |dataset: &Dataset| {
            let builder = builder(dataset)
                .order(Order::Shards { together: 1 })
                .threads(2);
            let builder = builder
                .batch_size(6)
                .last_batch(LastBatch::Pad)
                .rank(ranks - 1, ranks);
            builder.build().unwrap()
        };
        assert_eq!(epochs(&of(&both.remote(None))), epochs(&of(&both.local())));
    }
}

#[test]
fn samples_are_read_by_themselves_without_a_cache() {
    let both = Both::new(Codec::Jpeg);
    let (local, remote) = (both.local(), both.remote(None));
    let RecordShape { height, width } = local.shape();
    let mut pixels = [
        vec![0; (height * width * 3) as usize],
        vec![0; (height * width * 3) as usize],
    ];
    for i in [0, 9, 10, 48] {
        assert_eq!(*remote.stored(i).unwrap(), *local.stored(i).unwrap());
        remote.read(i, &mut pixels[0]).unwrap();
        local.read(i, &mut pixels[1]).unwrap();
        assert_eq!(pixels[0], pixels[1]);
        assert_eq!(
            (remote.key(i), remote.label(i)),
            (local.key(i), local.label(i))
        );
    }
    assert_eq!(fs::read_dir(both.cache.path()).unwrap().count(), 0);
    // Part of a dataset, in an order that is not that of the shards.
    let mixed = |dataset: &Dataset| {
        let part = dataset.select((0..40).rev().step_by(3)).unwrap();
        builder(&part)
            .order(Order::Shards { together: 2 })
            .build()
            .unwrap()
    };
    assert_eq!(epochs(&mixed(&remote)), epochs(&mixed(&local)));
}

#[test]
fn opening_takes_one_request_and_two_for_each_shard() {
    let both = Both::new(Codec::Jpeg);
    let remote = both.remote(None);
    assert_eq!(both.server.asked().len(), 1 + 2 * SHARDS.len());
    assert_eq!(remote.len(), SHARDS.iter().sum::<usize>() as u64);
}

/// Changes a byte of a record of the second shard, and gives the manifest the BLAKE3 of what is there.
fn damage(folder: &Path) {
    let mut manifest = shardmill_loader::read_manifest(folder).unwrap();
    let entry = &mut manifest.splits.get_mut("train").unwrap().shards[2];
    let path = folder.join(&entry.file);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    entry.blake3 = blake3::hash(&bytes).to_hex().to_string();
    fs::write(folder.join("manifest.json"), manifest.to_json()).unwrap();
}

#[test]
fn a_record_that_was_damaged_before_it_was_uploaded_is_named_or_replaced() {
    let both = Both::of(Codec::Raw, damage);
    let order = Order::Shards { together: 1 };
    let stop = builder(&both.remote(None)).order(order).build().unwrap();
    let error = stop.epoch(0).find_map(Result::err).unwrap();
    assert!(error.is_bad_record(), "{error}");
    let of = |dataset: &Dataset| {
        let builder = builder(dataset)
            .order(order)
            .on_bad_record(BadRecord::Replace);
        builder.threads(2).build().unwrap()
    };
    assert_eq!(epochs(&of(&both.remote(None))), epochs(&of(&both.local())));
}

#[test]
fn what_cannot_be_had_ends_the_epoch_with_its_name() {
    let both = Both::new(Codec::Raw);
    let remote = both.remote(None);
    both.server.always(Some(Fault::Flip));
    for threads in [0, 2] {
        let loader = builder(&remote).threads(threads).build().unwrap();
        let mut epoch = loader.epoch(0);
        let error = epoch.find_map(Result::err).unwrap().to_string();
        assert!(error.starts_with("shard train-0000"), "{error}");
        assert!(error.contains("arrived damaged 2 times"), "{error}");
        assert!(epoch.next().is_none());
    }
    both.server.always(None);
    let of = |dataset: &Dataset| {
        builder(dataset)
            .advice(Advice::Always)
            .threads(2)
            .build()
            .unwrap()
    };
    assert_eq!(epochs(&of(&remote)), epochs(&of(&both.local())));
}

#[test]
fn addresses_that_lead_nowhere_are_refused_in_words() {
    let both = Both::new(Codec::Raw);
    let open = |address: &str| Dataset::open(address, "train").unwrap_err().to_string();
    let nothing = format!("{}/nothing", both.server.address);
    assert_eq!(
        open(&nothing),
        format!(
            "{nothing} holds no manifest.json: make shards with `prep ingest SRC --out DIR` and give that DIR"
        )
    );
    assert!(
        open("s3:/bucket/data").contains("two slashes"),
        "{}",
        open("s3:/bucket/data")
    );
    assert!(open("s3://key:secret@bucket/data").contains("environment"));
    let split = Dataset::open(&both.server.address, "test").unwrap_err();
    assert!(split.to_string().contains("\"train\""), "{split}");
}

#[test]
fn garbage_of_the_right_length_in_the_cache_is_fetched_again() {
    let both = Both::new(Codec::Raw);
    let of = |dataset: &Dataset| builder(dataset).threads(2).build().unwrap();
    let expected = epochs(&of(&both.local()));
    assert_eq!(epochs(&of(&both.remote(None))), expected);
    for entry in fs::read_dir(both.cache.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "shard") {
            let len = fs::metadata(&path).unwrap().len() as usize;
            fs::write(&path, vec![0xa5; len]).unwrap();
        }
    }
    assert_eq!(epochs(&of(&both.remote(None))), expected);
}
