//! Buffers that no batch uses, kept from one epoch to the next.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::buffers::Buffers;
use crate::process::Process;

/// The buffers of a loader's batches while no batch uses them.
#[derive(Clone)]
pub(crate) struct Pool {
    way_back: WayBack,
    unused: Receiver<Buffers>,
}

/// Where the buffers of a dropped batch go.
#[derive(Clone)]
pub(crate) struct WayBack {
    process: Process,
    sender: Sender<Buffers>,
}

impl Pool {
    /// A pool with room for so many.
    pub(crate) fn new(capacity: usize) -> Self {
        let (sender, unused) = bounded(capacity);
        let process = Process::current();
        Self {
            way_back: WayBack { process, sender },
            unused,
        }
    }

    /// This pool, or in a forked child a new one: a thread of the parent may have been at work on
    /// this one, and nobody would ever end that work.
    pub(crate) fn here(&self) -> Self {
        if self.way_back.process.is_current() {
            return self.clone();
        }
        Self::new(self.unused.capacity().unwrap_or_default())
    }

    /// Buffers that were used before, or new ones.
    pub(crate) fn take(&self) -> Buffers {
        if !self.way_back.process.is_current() {
            return Buffers::default();
        }
        self.unused.try_recv().unwrap_or_default()
    }

    pub(crate) fn way_back(&self) -> WayBack {
        self.way_back.clone()
    }
}

impl WayBack {
    /// Gives buffers back. A full pool, a loader that is gone and a forked child let the memory go.
    pub(crate) fn give(&self, buffers: Buffers) {
        if self.process.is_current() {
            let _ = self.sender.try_send(buffers);
        }
    }
}

#[cfg(test)]
mod tests {
    use shardmill_formats::Codec;

    use crate::{Dataset, Loader, Policy, kit};

    /// Python's `for images, labels in loader` keeps a batch until it has the next one.
    #[test]
    fn a_consumer_that_keeps_one_batch_back_finds_all_buffers_again() {
        let folder = tempfile::tempdir().unwrap();
        kit::write(folder.path(), Codec::Raw);
        let dataset = Dataset::open(folder.path(), "train").unwrap();
        let builder = Loader::builder(dataset).batch_size(2).threads(2);
        let policy = Policy::Center { crop: 16 };
        let loader = builder.policy(policy).build().unwrap();
        assert!(loader.steps() > 6, "an epoch longer than the pool");
        for number in 0..3 {
            let mut kept = None;
            for batch in loader.epoch(number) {
                kept = Some(batch.unwrap());
            }
            drop(kept);
            // Two threads, one ahead, the one that was looked at, and the one kept back.
            assert_eq!(loader.plan.pool.unused.len(), 5, "after epoch {number}");
        }
    }
}
