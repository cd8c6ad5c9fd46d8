//! One image: read, decode, resize, sum, encode.

use shardmill_formats::{ChannelSums, Encoder, check_key};

use super::encoder;
use crate::decode::{ImageDecoder, vectorised};
use crate::error::PrepError;
use crate::options::IngestOptions;
use crate::reject::{Reject, RejectLine};
use crate::source::{Entry, LONGEST_IMAGE, Reader};

/// A record ready to be written.
pub(crate) struct Record {
    pub(super) key: String,
    pub(super) label: i64,
    pub(crate) stored: Vec<u8>,
    pub(super) sums: ChannelSums,
}

/// What became of an image.
pub(crate) enum Outcome {
    Record(Record),
    Reject(RejectLine),
}

/// The memory that one image after another is worked on in.
pub(crate) struct Worker {
    decoder: ImageDecoder,
    encoder: Encoder,
    reader: Reader,
    bytes: Vec<u8>,
}

impl Worker {
    pub(crate) fn new(options: &IngestOptions, reader: Reader) -> Result<Self, PrepError> {
        Ok(Self {
            decoder: ImageDecoder::with_options(options.size, options.decode),
            encoder: encoder(options)?,
            reader,
            bytes: Vec::new(),
        })
    }

    pub(crate) fn run(&mut self, entry: &Entry) -> Result<Outcome, PrepError> {
        let rejected = |reject| Ok(Outcome::Reject(RejectLine::new(&entry.key, &reject)));
        if let Err(error) = check_key(entry.key.as_bytes()) {
            return rejected(Reject::Name(error.to_string()));
        }
        if !self.reader.read(entry, &mut self.bytes)? {
            return rejected(Reject::TooLong {
                limit: LONGEST_IMAGE,
            });
        }
        let rgb = match self.decoder.decode(&self.bytes) {
            Ok(rgb) => rgb,
            Err(reject) => return rejected(reject),
        };
        let mut sums = ChannelSums::default();
        vectorised(
            #[inline(always)]
            || sums.add_image(rgb),
        );
        let mut stored = Vec::new();
        self.encoder
            .encode(rgb, &mut stored)
            .map_err(|source| PrepError::Codec {
                place: entry.key.to_string(),
                source,
            })?;
        Ok(Outcome::Record(Record {
            key: entry.key.to_string(),
            label: entry.label,
            stored,
            sums,
        }))
    }
}
