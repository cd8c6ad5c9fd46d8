//! A record of one decoded image: its sums and its stored bytes.

use shardmill_formats::{ChannelSums, Codec, Encoder};

use super::{RecordOptions, RecycledBuffers};
use crate::decode::{Budget, ImageDecoder, Warning, vectorised};
use crate::error::PrepError;
use crate::reject::RejectLine;
use crate::shards::Record;

/// What became of an image.
pub(crate) enum Outcome {
    Record {
        record: Record,
        /// What was wrong with the image, though it became a record.
        warning: Option<Warning>,
    },
    Reject(RejectLine),
}

/// The memory that one image after another becomes a record in.
pub(crate) struct RecordMaker {
    pub(crate) decoder: ImageDecoder,
    encoder: Encoder,
    codec: Codec,
    recycled: RecycledBuffers,
}

impl RecordMaker {
    pub(crate) fn new(
        options: &RecordOptions,
        recycled: RecycledBuffers,
        budget: Budget,
    ) -> Result<Self, PrepError> {
        Ok(Self {
            decoder: ImageDecoder::with_options(options.size, options.decode).with_budget(budget),
            encoder: options.encoder()?,
            codec: options.codec,
            recycled,
        })
    }

    /// A record of the image that the decoder has just decoded.
    pub(crate) fn record(&mut self, key: &str, label: i64) -> Result<Outcome, PrepError> {
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
        Ok(Outcome::Record {
            record: Record {
                key: key.to_owned(),
                label,
                stored,
                sums,
            },
            warning: self.decoder.warning(),
        })
    }
}
