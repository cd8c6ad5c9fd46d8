//! The user's function of every sample.

use std::error::Error;
use std::sync::Arc;

use shardmill_formats::{Philox, RecordShape};

/// The function; see [`LoaderBuilder::transform`](crate::LoaderBuilder::transform).
pub(crate) type Transform =
    Arc<dyn Fn(&mut Sample<'_>) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync>;

/// The function around a worker thread; see [`LoaderBuilder::around_threads`](crate::LoaderBuilder::around_threads).
pub(crate) type Around = Arc<dyn Fn(&mut (dyn FnMut() + Send)) + Send + Sync>;

/// A sample on its way into a batch: decoded, not yet cropped.
#[derive(Debug)]
pub struct Sample<'a> {
    pub(crate) rgb: &'a mut [u8],
    pub(crate) shape: RecordShape,
    pub(crate) label: i64,
    pub(crate) key: &'a str,
    pub(crate) index: u64,
    pub(crate) epoch: u64,
    pub(crate) random: Random,
}

impl Sample<'_> {
    /// The pixels: rows of R, G, B, `height * width * 3` bytes. Window, reflection and colour are applied
    /// to what is written here.
    pub const fn pixels(&mut self) -> &mut [u8] {
        self.rgb
    }

    /// Height and width of the record.
    #[must_use]
    pub const fn shape(&self) -> RecordShape {
        self.shape
    }

    /// The label; -1 in a split without labels.
    #[must_use]
    pub const fn label(&self) -> i64 {
        self.label
    }

    /// Sets the label that the batch will have.
    pub const fn set_label(&mut self, label: i64) {
        self.label = label;
    }

    /// The name of the sample's source.
    #[must_use]
    pub const fn key(&self) -> &str {
        self.key
    }

    /// The index of the sample in [`Batch::indices`](crate::Batch::indices).
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The epoch.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// This sample's random numbers, the same for any number of threads.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}

/// A stream of random numbers that depends on (seed, epoch, sample) alone.
#[derive(Clone, Debug)]
pub struct Random {
    philox: Philox,
    sample: u64,
    taken: u64,
    block: [u32; 4],
}

impl Random {
    pub(crate) const fn new(philox: Philox, sample: u64) -> Self {
        Self {
            philox,
            sample,
            taken: 0,
            block: [0; 4],
        }
    }

    /// The next 32 random bits.
    pub const fn next_u32(&mut self) -> u32 {
        let at = (self.taken % 4) as usize;
        if at == 0 {
            self.block = self.philox.block(self.sample, (self.taken / 4) as u32);
        }
        self.taken += 1;
        self.block[at]
    }

    /// A number in `[0, 1)` with 24 random bits.
    pub fn unit(&mut self) -> f32 {
        Philox::unit_f32(self.next_u32())
    }

    /// A whole number in `0..n`.
    pub const fn below(&mut self, n: u32) -> u32 {
        Philox::below(self.next_u32(), n)
    }
}
