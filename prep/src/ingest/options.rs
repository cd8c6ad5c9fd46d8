//! Settings of an ingest.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use shardmill_formats::{Codec, EncodeOptions};

use crate::choice::UnknownChoice;
use crate::decode::DecodeOptions;
use crate::observe::Observer;
use crate::part::Part;
use crate::record::RecordOptions;
use crate::reject::OnError;
use crate::source::{Layout, SourceRequest};

/// Most rejects that an ingest accepts: `20`, or `0.5%` of the images listed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejects {
    /// A number of images.
    Count(u64),
    /// A share of the images listed, 0 to 100.
    Percent(f64),
}

impl MaxRejects {
    /// Most rejects among `images`; a fraction of an image is none.
    #[must_use]
    pub fn of(self, images: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (images as f64 * percent / 100.0) as u64,
        }
    }
}

impl FromStr for MaxRejects {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        let parsed = match text.strip_suffix('%') {
            Some(share) => share.parse().ok().map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        };
        let sound = |limit: &Self| match limit {
            Self::Count(_) => true,
            Self::Percent(percent) => (0.0..=100.0).contains(percent),
        };
        parsed.filter(sound).ok_or_else(|| UnknownChoice {
            option: "max-rejects",
            found: text.to_owned(),
            expected: "a number, or a percentage of 0% to 100%".to_owned(),
        })
    }
}

/// Settings of an ingest; [`IngestOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Folder or file of images.
    pub source: PathBuf,
    /// The source's form; detected if `None`.
    pub layout: Option<Layout>,
    /// Share of the shards to make; [`merge`](crate::ingest::merge) completes the dataset when every share is made.
    pub part: Part,
    /// Folder of the dataset, or an address such as `s3://bucket/dataset`; must not exist, be empty, or hold the same
    /// ingest unfinished or complete.
    pub out: PathBuf,
    /// Folder around the one in which shards are made before they are uploaded, if `out` is an address; the system's
    /// for temporary files if `None`.
    pub work: Option<PathBuf>,
    /// Encoding of the records.
    pub codec: Codec,
    /// JPEG quality, 1 to 100, with codec `jpeg`.
    pub quality: u8,
    /// Side of the square records, in pixels.
    pub size: u32,
    /// How images are decoded and resized.
    pub decode: DecodeOptions,
    /// What happens when an image is rejected.
    pub on_error: OnError,
    /// Most rejects; `None` for any number.
    pub max_rejects: Option<MaxRejects>,
    /// Images planned for each shard.
    pub shard_records: usize,
    /// Seed of the shuffle, and of the split by `val_fraction`.
    pub seed: u64,
    /// Threads that decode; 0 means one for each core.
    pub threads: usize,
    /// Memory for decoding large images on all threads together; a quarter of the free memory if `None`. An image
    /// that needs more is decoded alone.
    pub decode_memory: Option<u64>,
    /// Share of each class that becomes the split `val`, if the source has no such split.
    pub val_fraction: f64,
    /// Whether to proceed even if the disk seems to have too little free space.
    pub ignore_free_space: bool,
    /// Splits of the source to leave out: `train`, `val` or `test`.
    pub without: Vec<&'static str>,
    /// Whether progress is shown on standard error.
    pub progress: bool,
    /// Receives the progress, and may stop the work.
    pub observer: Observer,
}

impl IngestOptions {
    /// An ingest of `source` into `out`: raw records of 256x256, 4096 a shard, all cores, quiet.
    pub fn new(source: impl Into<PathBuf>, out: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            layout: None,
            part: Part::WHOLE,
            out: out.into(),
            work: None,
            codec: Codec::Raw,
            quality: EncodeOptions::default().jpeg_quality,
            size: 256,
            decode: DecodeOptions::default(),
            on_error: OnError::default(),
            max_rejects: None,
            shard_records: 4096,
            seed: 0,
            threads: 0,
            decode_memory: None,
            val_fraction: 0.0,
            ignore_free_space: false,
            without: Vec::new(),
            progress: false,
            observer: Observer::default(),
        }
    }

    /// Whether the dataset goes into an object store.
    pub(crate) fn is_remote(&self) -> bool {
        shardmill_store::address(&self.out).is_some()
    }

    /// The folder around the one in which shards are made before they are uploaded.
    pub(crate) fn work_parent(&self) -> PathBuf {
        self.work.clone().unwrap_or_else(std::env::temp_dir)
    }

    pub(crate) fn source_request(&self) -> SourceRequest<'_> {
        SourceRequest {
            source: &self.source,
            layout: self.layout,
            // What is unpacked for the while is nowhere near an address.
            out: if self.is_remote() {
                Path::new("")
            } else {
                &self.out
            },
            val_fraction: self.val_fraction,
            seed: self.seed,
            without: &self.without,
            in_place: false,
            progress: self.progress,
            observer: &self.observer,
        }
    }

    pub(crate) const fn record(&self) -> RecordOptions {
        RecordOptions {
            codec: self.codec,
            quality: self.quality,
            size: self.size,
            decode: self.decode,
            shard_records: self.shard_records,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_rejects_is_a_number_or_a_percentage() {
        assert_eq!("12".parse(), Ok(MaxRejects::Count(12)));
        assert_eq!("0.5%".parse(), Ok(MaxRejects::Percent(0.5)));
        for text in ["", "-1", "1.5", "101%", "NaN%", "%", "many"] {
            assert!(text.parse::<MaxRejects>().is_err(), "{text:?}");
        }
        assert_eq!(MaxRejects::Percent(0.5).of(1_281_167), 6405);
        assert_eq!(MaxRejects::Percent(1.0).of(99), 0);
    }
}
