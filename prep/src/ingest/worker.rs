//! One image of a source: read, decoded and made a record.

use shardmill_formats::check_key;

use super::options::IngestOptions;
use crate::decode::Budget;
use crate::error::PrepError;
use crate::record::{Outcome, RecordMaker, RecycledBuffers};
use crate::reject::{Reject, RejectLine};
use crate::source::{Entry, Reader};

/// Reads images and makes records of them.
pub(crate) struct Worker {
    maker: RecordMaker,
    reader: Reader,
    bytes: Vec<u8>,
}

impl Worker {
    pub(crate) fn new(
        options: &IngestOptions,
        reader: Reader,
        recycled: RecycledBuffers,
        budget: Budget,
    ) -> Result<Self, PrepError> {
        Ok(Self {
            maker: RecordMaker::new(&options.record(), recycled, budget)?,
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
        self.maker.record(&entry.key, entry.label)
    }
}
