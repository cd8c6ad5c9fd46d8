//! Epochs that are broken off leave no thread behind. In a process of its own, so that every
//! thread that is counted is this test's.

use shardmill_formats::Codec;
use shardmill_loader::{Dataset, Loader, Policy};

use crate::alone::alone;
use crate::kit;

/// Number of threads of this process, where the system tells.
fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

#[test]
fn breaking_epochs_off_joins_their_threads() {
    alone("threads::breaking_epochs_off_joins_their_threads", count);
}

fn count() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Jpeg);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let policy = Policy::Train {
        crop: 16,
        flip: true,
        color_std: 0.1,
    };
    let loader = Loader::builder(dataset)
        .batch_size(2)
        .threads(3)
        .policy(policy)
        .build()
        .unwrap();
    let before = threads();
    for epoch in 0..300 {
        let mut batches = loader.epoch(epoch);
        for _ in 0..epoch % 4 {
            batches.next().unwrap().unwrap();
        }
        if epoch % 4 > 0 {
            assert!(
                threads() > before || before.is_none(),
                "the epoch has threads of its own"
            );
        }
    }
    assert_eq!(threads(), before);
    let whole: usize = loader.epoch(0).map(|batch| batch.unwrap().len()).sum();
    assert_eq!(whole, kit::SAMPLES);
}
