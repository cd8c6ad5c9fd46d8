//! A pool of buffers: a dropped batch leaves its memory to a later one, in this epoch or the next.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::buffers::Buffers;
use crate::process::Process;

/// The buffers of a loader that no batch uses.
#[derive(Clone)]
pub(crate) struct Pool {
    recycler: Recycler,
    unused: Receiver<Buffers>,
}

/// The way back into the pool, for the buffers of a dropped batch.
#[derive(Clone)]
pub(crate) struct Recycler {
    process: Process,
    sender: Sender<Buffers>,
}

impl Pool {
    /// A pool with room for `capacity` buffers.
    pub(crate) fn new(capacity: usize) -> Self {
        let (sender, unused) = bounded(capacity);
        let process = Process::current();
        Self {
            recycler: Recycler { process, sender },
            unused,
        }
    }

    /// This pool, or a new one in a forked child: a thread of the parent may have been changing this
    /// one, and would never finish in the child.
    pub(crate) fn here(&self) -> Self {
        if self.recycler.process.is_current() {
            return self.clone();
        }
        Self::new(self.unused.capacity().unwrap_or_default())
    }

    /// Buffers that an earlier batch used, or new ones.
    pub(crate) fn acquire(&self) -> Buffers {
        if !self.recycler.process.is_current() {
            return Buffers::default();
        }
        self.unused.try_recv().unwrap_or_default()
    }

    pub(crate) fn recycler(&self) -> Recycler {
        self.recycler.clone()
    }
}

impl Recycler {
    /// Gives buffers back. They are freed if the pool is full, the loader is gone, or this is a forked
    /// child.
    pub(crate) fn recycle(&self, buffers: Buffers) {
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
        let mut found = 0;
        // Two threads, one ahead, the one that was looked at, and the one kept back. A thread that starts late
        // may need none in an epoch, so all five exist after some epochs only.
        for number in 0..1_000 {
            let mut kept = None;
            for batch in loader.epoch(number) {
                kept = Some(batch.unwrap());
            }
            drop(kept);
            let before = std::mem::replace(&mut found, loader.plan.pool.unused.len());
            assert!((before..=5).contains(&found), "after epoch {number}");
            if found == 5 && number > 2 {
                return;
            }
        }
        panic!("{found} of five buffers");
    }
}
