//! One image: read, decode, resize, sum, encode.

use std::fs::File;
use std::io::Read;

use shardmill_formats::{ChannelSums, Encoder, check_key};

use super::encoder;
use crate::decode::ImageDecoder;
use crate::error::PrepError;
use crate::options::IngestOptions;
use crate::reject::{Reject, RejectLine};
use crate::source::Entry;

/// A record ready to be written.
pub(super) struct Record {
    pub(super) key: String,
    pub(super) label: i64,
    pub(super) stored: Vec<u8>,
    pub(super) sums: ChannelSums,
}

/// What became of an image.
pub(super) enum Outcome {
    Record(Record),
    Reject(RejectLine),
}

/// The memory that one image after another is worked on in.
pub(super) struct Worker {
    decoder: ImageDecoder,
    encoder: Encoder,
    bytes: Vec<u8>,
}

impl Worker {
    pub(super) fn new(options: &IngestOptions) -> Result<Self, PrepError> {
        Ok(Self {
            decoder: ImageDecoder::new(options.size),
            encoder: encoder(options)?,
            bytes: Vec::new(),
        })
    }

    pub(super) fn run(&mut self, entry: &Entry) -> Result<Outcome, PrepError> {
        if let Err(error) = check_key(entry.key.as_bytes()) {
            return Ok(Outcome::Reject(RejectLine::new(
                &entry.key,
                &Reject::Name(error.to_string()),
            )));
        }
        self.bytes.clear();
        File::open(&entry.path)
            .and_then(|mut file| file.read_to_end(&mut self.bytes))
            .map_err(PrepError::io(&entry.path))?;
        let rgb = match self.decoder.decode(&self.bytes) {
            Ok(rgb) => rgb,
            Err(reject) => return Ok(Outcome::Reject(RejectLine::new(&entry.key, &reject))),
        };
        let mut sums = ChannelSums::default();
        sums.add_image(rgb);
        let mut stored = Vec::new();
        self.encoder
            .encode(rgb, &mut stored)
            .map_err(|source| PrepError::Codec {
                place: entry.key.clone(),
                source,
            })?;
        Ok(Outcome::Record(Record {
            key: entry.key.clone(),
            label: entry.label,
            stored,
            sums,
        }))
    }
}
