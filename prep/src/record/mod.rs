//! Records: how images become what a shard stores.

mod buffers;
mod maker;

use shardmill_formats::{
    Class, Codec, EncodeOptions, Encoder, Manifest, Preprocessing, RecordShape, Rejects, Source,
};

pub(crate) use buffers::RecycledBuffers;
pub(crate) use maker::{Outcome, RecordMaker};

use crate::decode::{DECODER, DecodeOptions, RESIZER};
use crate::error::PrepError;

/// What all records of a dataset have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordOptions {
    pub(crate) codec: Codec,
    /// JPEG quality, 1 to 100, with codec `jpeg`.
    pub(crate) quality: u8,
    /// Side of the square records, in pixels.
    pub(crate) size: u32,
    pub(crate) decode: DecodeOptions,
    /// Records of each shard.
    pub(crate) shard_records: usize,
}

impl RecordOptions {
    /// # Errors
    /// Options without meaning.
    pub(crate) fn check(&self) -> Result<(), PrepError> {
        let wrong = |option, found: String, expected: &str| {
            Err(PrepError::Option {
                option,
                found,
                expected: expected.to_owned(),
            })
        };
        if RecordShape::new(self.size, self.size).is_none() {
            let found = self.size.to_string();
            return wrong("size", found, "give a side of 1 to 8192 pixels");
        }
        if !(1..=100).contains(&self.quality) {
            let found = self.quality.to_string();
            return wrong("quality", found, "give a JPEG quality of 1 to 100");
        }
        if self.shard_records == 0 {
            let found = "0".to_owned();
            return wrong("shard-records", found, "give at least one record a shard");
        }
        Ok(())
    }

    pub(crate) const fn shape(&self) -> RecordShape {
        RecordShape {
            height: self.size,
            width: self.size,
        }
    }

    pub(crate) fn encode_options(&self) -> EncodeOptions {
        EncodeOptions {
            jpeg_quality: self.quality,
            ..EncodeOptions::default()
        }
    }

    pub(crate) fn encoder(&self) -> Result<Encoder, PrepError> {
        Encoder::new(self.codec, self.shape(), self.encode_options()).map_err(|source| {
            PrepError::Codec {
                place: format!("codec {}", self.codec),
                source,
            }
        })
    }

    /// The manifest of records of `source`, without splits, statistics and rejects.
    pub(crate) fn manifest(&self, source: Source, classes: Vec<Class>, seed: u64) -> Manifest {
        Manifest {
            format: Manifest::format_name(),
            version: Manifest::format_version(),
            codec: self.codec,
            jpeg_quality: (self.codec == Codec::Jpeg).then_some(self.quality),
            height: self.size,
            width: self.size,
            preprocessing: Preprocessing {
                geometry: self.decode.geometry().to_owned(),
                filter: self.decode.filter().to_owned(),
                decoder: DECODER.to_owned(),
                resizer: RESIZER.to_owned(),
                exif: self.decode.exif_noted(),
                truncated: self.decode.truncated_noted(),
            },
            classes,
            splits: Default::default(),
            statistics: None,
            source,
            rejects: Rejects::default(),
            seed,
            prep_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
