//! One image: read, decode, resize, sum, encode.

use std::sync::{Arc, Mutex, PoisonError};

use shardmill_formats::{ChannelSums, Codec, Encoder, check_key};

use super::encoder;
use crate::decode::{Budget, ImageDecoder, Warning, vectorised};
use crate::error::PrepError;
use crate::options::IngestOptions;
use crate::reject::{Reject, RejectLine};
use crate::source::{Entry, Reader};

/// A record ready to be written.
pub(crate) struct Record {
    pub(super) key: String,
    pub(super) label: i64,
    pub(crate) stored: Vec<u8>,
    pub(super) sums: ChannelSums,
    /// What was wrong with the image, though it became a record.
    pub(super) warning: Option<Warning>,
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
    pub(super) fn give(&self, record: Record) {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.push(record.stored);
    }
}

/// The memory that one image after another is worked on in.
pub(crate) struct Worker {
    decoder: ImageDecoder,
    encoder: Encoder,
    codec: Codec,
    recycled: Recycled,
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
            decoder: ImageDecoder::with_options(options.size, options.decode).with_budget(budget),
            encoder: encoder(options)?,
            codec: options.codec,
            recycled,
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
        let rgb = match self.decoder.decode(&self.bytes) {
            Ok(rgb) => rgb,
            Err(reject) => return rejected(reject),
        };
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
                place: entry.key.to_string(),
                source,
            })?;
        }
        Ok(Outcome::Record(Record {
            key: entry.key.to_string(),
            label: entry.label,
            stored,
            sums,
            warning: self.decoder.warning(),
        }))
    }
}
