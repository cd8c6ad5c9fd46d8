//! One image: read, decode, resize, sum, encode.

use std::sync::{Arc, Mutex, PoisonError};

use shardmill_formats::{ChannelSums, Codec, Encoder, check_key};

use super::encoder;
use crate::decode::{Budget, ImageDecoder, Warning, vectorised};
use crate::error::PrepError;
use crate::ingest::options::IngestOptions;
use crate::reject::{Reject, RejectLine};
use crate::source::{Entry, Reader};

/// A record ready to be written.
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) label: i64,
    pub(crate) stored: Vec<u8>,
    pub(crate) sums: ChannelSums,
    /// What was wrong with the image, though it became a record.
    pub(crate) warning: Option<Warning>,
}

/// What became of an image.
pub(crate) enum Outcome {
    Record(Record),
    Reject(RejectLine),
}

/// Memory of records that are written, for others to come: new memory costs as much as copying.
#[derive(Clone, Default)]
pub(crate) struct Recycled(Arc<Mutex<Vec<Vec<u8>>>>);

impl Recycled {
    fn take(&self) -> Vec<u8> {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_default()
    }

    /// Gives a record's memory back.
    pub(crate) fn give(&self, stored: Vec<u8>) {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.push(stored);
    }
}

/// The memory that one image after another becomes a record in.
pub(crate) struct Maker {
    pub(crate) decoder: ImageDecoder,
    encoder: Encoder,
    codec: Codec,
    recycled: Recycled,
}

impl Maker {
    pub(crate) fn new(
        options: &IngestOptions,
        recycled: Recycled,
        budget: Budget,
    ) -> Result<Self, PrepError> {
        Ok(Self {
            decoder: ImageDecoder::with_options(options.size, options.decode).with_budget(budget),
            encoder: encoder(options)?,
            codec: options.codec,
            recycled,
        })
    }

    /// A record of the image that the decoder has just decoded.
    pub(crate) fn record(&mut self, key: &str, label: i64) -> Result<Record, PrepError> {
        let rgb = self.decoder.record();
        let mut sums = ChannelSums::default();
        vectorised(
            #[inline(always)]
            || sums.add_image(rgb),
        );
        let mut stored = self.recycled.take();
        if self.codec == Codec::Raw {
            // The pixels are the record.
            self.decoder.exchange(&mut stored);
        } else {
            let encoded = self.encoder.encode(rgb, &mut stored);
            encoded.map_err(|source| PrepError::Codec {
                place: key.to_owned(),
                source,
            })?;
        }
        Ok(Record {
            key: key.to_owned(),
            label,
            stored,
            sums,
            warning: self.decoder.warning(),
        })
    }
}

/// Reads images and makes records of them.
pub(crate) struct Worker {
    maker: Maker,
    reader: Reader,
    bytes: Vec<u8>,
}

impl Worker {
    pub(crate) fn new(
        options: &IngestOptions,
        reader: Reader,
        recycled: Recycled,
        budget: Budget,
    ) -> Result<Self, PrepError> {
        Ok(Self {
            maker: Maker::new(options, recycled, budget)?,
            reader,
            bytes: Vec::new(),
        })
    }

    pub(crate) fn run(&mut self, entry: &Entry) -> Result<Outcome, PrepError> {
        let rejected = |reject| Ok(Outcome::Reject(RejectLine::new(&entry.key, &reject)));
        if let Err(error) = check_key(entry.key.as_bytes()) {
            return rejected(Reject::Name(error.to_string()));
        }
        if let Some(reject) = self.reader.read(entry, &mut self.bytes)? {
            return rejected(reject);
        }
        if let Err(reject) = self.maker.decoder.decode(&self.bytes) {
            return rejected(reject);
        }
        let record = self.maker.record(&entry.key, entry.label)?;
        Ok(Outcome::Record(record))
    }
}
