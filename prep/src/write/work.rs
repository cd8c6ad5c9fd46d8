//! What the threads of a writer do.

use crate::decode::Budget;
use crate::error::PrepError;
use crate::io::pool::{OrderedStream, number_of};
use crate::record::{Outcome, RecordMaker, RecycledBuffers};
use crate::reject::{Reject, RejectLine};
use crate::source::LONGEST_IMAGE;

use super::options::{Image, WriteOptions};

/// A sample on its way, checked.
pub(super) struct Item {
    pub(super) key: String,
    pub(super) label: i64,
    pub(super) image: Image,
}

impl Item {
    /// Bytes of its image.
    pub(super) const fn bytes(&self) -> u64 {
        match &self.image {
            Image::Encoded(bytes) | Image::Pixels { pixels: bytes, .. } => bytes.len() as u64,
        }
    }
}

/// Starts the threads.
pub(super) fn start(
    options: &WriteOptions,
    recycled: &RecycledBuffers,
) -> Result<OrderedStream<Item, Outcome>, PrepError> {
    let (record, recycled) = (options.record(), recycled.clone());
    let threads = options.threads;
    let budget = Budget::for_threads(options.decode_memory, number_of(threads));
    let make = move || RecordMaker::new(&record, recycled.clone(), budget.clone());
    OrderedStream::start(threads, make, run)
}

fn run(maker: &mut RecordMaker, item: Item) -> Result<Outcome, PrepError> {
    let decoded = match item.image {
        Image::Encoded(bytes) if bytes.len() as u64 > LONGEST_IMAGE => Err(Reject::TooLong {
            limit: LONGEST_IMAGE,
        }),
        Image::Encoded(bytes) => maker.decoder.decode(&bytes).map(drop),
        Image::Pixels {
            width,
            height,
            channels,
            pixels,
        } => maker
            .decoder
            .resize_pixels(width, height, channels, pixels)
            .map(drop),
    };
    match decoded {
        Ok(()) => maker.record(&item.key, item.label),
        Err(reject) => Ok(Outcome::Reject(RejectLine::new(&item.key, &reject))),
    }
}
