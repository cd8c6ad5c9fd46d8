//! What `prep ingest` is asked to do.

use std::path::PathBuf;

use shardmill_formats::{Codec, EncodeOptions};

/// Settings of an ingest; [`IngestOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Folder of images.
    pub source: PathBuf,
    /// Folder of the dataset; must not exist, or be empty.
    pub out: PathBuf,
    /// Encoding of the records.
    pub codec: Codec,
    /// JPEG quality, 1 to 100, with codec `jpeg`.
    pub quality: u8,
    /// Side of the square records, in pixels.
    pub size: u32,
    /// Images planned for each shard.
    pub shard_records: usize,
    /// Seed of the shuffle, and of the split by `val_fraction`.
    pub seed: u64,
    /// Threads that decode; 0 means one for each core.
    pub threads: usize,
    /// Share of each class that becomes the split `val`, where the source has no split of its own.
    pub val_fraction: f64,
    /// Whether progress is shown on standard error.
    pub progress: bool,
}

impl IngestOptions {
    /// An ingest of `source` into `out`: raw records of 256x256, 4096 a shard, all cores, quiet.
    pub fn new(source: impl Into<PathBuf>, out: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            out: out.into(),
            codec: Codec::Raw,
            quality: EncodeOptions::default().jpeg_quality,
            size: 256,
            shard_records: 4096,
            seed: 0,
            threads: 0,
            val_fraction: 0.0,
            progress: false,
        }
    }

    pub(crate) fn encode_options(&self) -> EncodeOptions {
        EncodeOptions {
            jpeg_quality: self.quality,
            ..EncodeOptions::default()
        }
    }
}
