//! Memory that a loader takes beyond the page cache. In a process of its own, so that all of it is
//! this test's.

use shardmill_formats::Codec;
use shardmill_loader::process::anonymous_rss;
use shardmill_loader::{Dataset, Loader, Policy};

use crate::alone::alone;
use crate::kit;

#[test]
fn memory_is_four_batches_and_does_not_grow() {
    alone("memory::memory_is_four_batches_and_does_not_grow", measure);
}

fn measure() {
    let Some(before) = anonymous_rss() else {
        // This system does not tell.
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Zstd);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let policy = Policy::Train {
        crop: 20,
        flip: true,
        color_std: 0.1,
    };
    let with = |dataset: &Dataset, samples| {
        let builder = Loader::builder(dataset.clone()).batch_size(samples);
        builder.threads(2).policy(policy).build().unwrap()
    };

    let samples = 8192;
    let batch = samples * (20 * 20 * 3 * 4 + 16);
    let many = (0..samples as u64 * 10).map(|i| i % dataset.len());
    let large = with(&dataset.select(many).unwrap(), samples);
    let mut most = 0;
    for epoch in 0..2 {
        for batch in large.epoch(epoch) {
            assert_eq!(batch.unwrap().len(), samples);
            most = most.max(anonymous_rss().unwrap() - before);
        }
    }
    let limit = 4 * batch + (64 << 20);
    assert!(
        most as usize > batch,
        "{most} bytes hold no batch of {batch}"
    );
    assert!(most as usize <= limit, "{most} bytes, more than {limit}");
    drop(large);

    let small = with(&dataset, 4);
    let mut after_warming = 0;
    for epoch in 0..1000 {
        small.epoch(epoch).next().unwrap().unwrap();
        if epoch == 100 {
            after_warming = anonymous_rss().unwrap();
        }
    }
    let growth = anonymous_rss().unwrap().saturating_sub(after_warming);
    // Far below what a thousand forgotten batches of 19 kB, stacks or decoders would be.
    assert!(growth < 2 << 20, "grew by {growth} bytes in 900 epochs");
    if let Ok(tasks) = std::fs::read_dir("/proc/self/task") {
        // The test and the harness.
        assert!(tasks.count() <= 2, "threads are left");
    }
}
