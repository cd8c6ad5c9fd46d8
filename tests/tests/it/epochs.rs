//! An epoch over shards that `prep` made is the same on any number of loader threads.

use std::path::Path;

use shardmill_formats::Codec;
use shardmill_loader::{Dataset, Loader, Output, Policy};
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{TREE_IMAGES, real_images, write_tree};

/// Indices, labels and pixels of each batch of an epoch.
type Epoch = Vec<(Vec<u64>, Vec<i64>, Vec<u32>)>;

/// Ingests `source` with a codec and reads epochs of its training split on 0, 1, 2 and 8 threads.
fn check(source: &Path, codec: Codec, images: usize, size: u32) {
    let work = tempfile::tempdir().unwrap();
    let mut options = IngestOptions::new(source, work.path().join("shards"));
    (options.codec, options.size, options.shard_records) = (codec, size, images / 3);
    let summary = ingest(&options).unwrap();
    assert_eq!(
        (summary.images(), summary.rejects.len()),
        (images as u64, 0)
    );
    let dataset = Dataset::open(&options.out, "train").unwrap();
    let read = |threads, epoch, steps| -> Epoch {
        let builder = Loader::builder(dataset.clone()).batch_size(7).seed(3);
        let crop = size - size / 8;
        let policy = Policy::Train {
            crop,
            flip: true,
            color_std: 0.1,
        };
        let builder = builder.policy(policy).output(Output::F32);
        let loader = builder.threads(threads).build().unwrap();
        let contents = |batch: shardmill_loader::Batch| {
            let bits = batch.images_f32().iter().map(|value| value.to_bits());
            (
                batch.indices().to_vec(),
                batch.labels().to_vec(),
                bits.collect(),
            )
        };
        let batches = loader.epoch(epoch).take(steps);
        batches.map(|batch| contents(batch.unwrap())).collect()
    };
    // Thirty steps are enough of a large set.
    let oracle = read(0, 1, 30);
    assert_eq!(oracle.len() as u64, dataset.len().div_ceil(7).min(30));
    assert!(oracle != read(0, 2, 30), "{codec}: two epochs are equal");
    for threads in [1, 2, 8] {
        assert!(
            read(threads, 1, 30) == oracle,
            "{codec}: {threads} threads differ"
        );
    }
}

#[test]
fn loader_threads_change_nothing_on_shards_that_prep_made() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path());
    for codec in Codec::ALL {
        check(tree.path(), codec, TREE_IMAGES, 64);
    }
}

#[test]
fn loader_threads_change_nothing_on_imagenette() {
    let Some(tree) = real_images("imagenette_epochs", "imagenette-224.tar") else {
        return;
    };
    check(&tree.path().join("imagenette"), Codec::Jpeg, 3500, 128);
}
