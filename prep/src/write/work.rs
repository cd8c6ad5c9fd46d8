//! What the threads of a writer do.

use crate::error::PrepError;
use crate::ingest::options::IngestOptions;
use crate::ingest::{Maker, Outcome, Recycled, decode_budget};
use crate::io::pool::Stream;
use crate::reject::{Reject, RejectLine};
use crate::source::LONGEST_IMAGE;

use super::options::Image;

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
    options: &IngestOptions,
    recycled: &Recycled,
) -> Result<Stream<Item, Outcome>, PrepError> {
    let (options, recycled) = (options.clone(), recycled.clone());
    let threads = options.threads;
    let budget = decode_budget(&options, crate::io::pool::number_of(threads));
    let make = move || Maker::new(&options, recycled.clone(), budget.clone());
    Stream::start(threads, make, run)
}

fn run(maker: &mut Maker, item: Item) -> Result<Outcome, PrepError> {
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
            .resize_pixels((width, height), channels, pixels)
            .map(drop),
    };
    match decoded {
        Ok(()) => maker.record(&item.key, item.label).map(Outcome::Record),
        Err(reject) => Ok(Outcome::Reject(RejectLine::new(&item.key, &reject))),
    }
}
