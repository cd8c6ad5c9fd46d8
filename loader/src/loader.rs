//! A dataset, and what its batches look like.

use std::sync::Arc;

use crate::data::{Dataset, Mix};
use crate::order::expected_classes;
use crate::pipeline::{Epoch, Plan};

/// Streams a dataset as batches, epoch after epoch.
///
/// The global batch at a step is a pure function of (dataset, settings, seed, epoch, step). The number
/// of threads only changes how soon it is ready.
#[derive(Clone)]
pub struct Loader {
    pub(crate) plan: Arc<Plan>,
}

impl Loader {
    /// The batches of an epoch, from the first.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch {
        self.epoch_from(epoch, 0)
    }

    /// The batches of the rest of an epoch, after `samples` samples over all ranks. A loader of the same
    /// dataset, order and seed may have given those, with any batch size and any number of ranks;
    /// [`Batch::samples_after`](crate::Batch::samples_after) is the number to keep.
    ///
    /// The first batch begins at place `samples` of the epoch's order. Batches and steps, including
    /// those of [`seek`](Epoch::seek), count from there. Every sample looks the same as in the whole
    /// epoch. The last batch is kept, dropped or padded according to what is left; padding still comes
    /// from the beginning of the epoch's order. There is no batch if `samples` is not below the number
    /// of samples of the epoch.
    #[must_use]
    pub fn epoch_from(&self, epoch: u64, samples: u64) -> Epoch {
        Epoch::new(Arc::clone(&self.plan), epoch, samples)
    }

    /// Number of batches of an epoch, the same for every rank.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps_from(0)
    }

    /// Number of batches of [`epoch_from`](Self::epoch_from), the same for every rank.
    #[must_use]
    pub fn steps_from(&self, samples: u64) -> u64 {
        self.plan.sampler.steps(samples)
    }

    /// Number of samples of an epoch, over all ranks.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.plan.sampler.samples
    }

    /// Threads that an epoch starts, not counting the one for [`Advice`](crate::Advice): those of
    /// [`LoaderBuilder::threads`](crate::LoaderBuilder::threads), but no more than an epoch has batches.
    /// With 0, the thread that asks for a batch makes it.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.plan.threads
    }

    /// Most batches that exist at once: those that threads work on, those that are ready, and the
    /// consumer's latest. Earlier batches that the consumer keeps are not counted.
    #[must_use]
    pub fn batches_under_way(&self) -> usize {
        self.plan.batches_under_way()
    }

    /// Bytes of a full batch of this rank: values, colour shifts, areas, labels and indices.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        self.plan.batch_bytes()
    }

    /// Rows of a batch for each sample: the policy's, times the [`views`](crate::LoaderBuilder::views).
    #[must_use]
    pub fn rows_per_sample(&self) -> usize {
        self.plan.augmentation.rows_per_sample()
    }

    /// The dataset; of a mix, the first.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        self.plan.mix.first()
    }

    /// The mix of datasets; [`Mix::locate`] finds the sample of an index in a batch.
    #[must_use]
    pub fn mix(&self) -> &Mix {
        &self.plan.mix
    }

    /// The number of distinct classes that a batch of this epoch is expected to hold, over all ranks.
    /// Compared with the number for the global order, it shows what an order of blocks costs. `None`
    /// for a mix of several datasets. It reads the label of every sample.
    #[must_use]
    pub fn expected_classes(&self, epoch: u64) -> Option<f64> {
        let order = self.plan.sampler.epoch(epoch, &self.plan.mix);
        expected_classes(&self.plan.sampler, &order, |i| self.dataset().label(i))
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("sampler", &self.plan.sampler)
            .finish_non_exhaustive()
    }
}
