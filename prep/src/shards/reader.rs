//! Records of a dataset, read and decoded one after another.

use shardmill_formats::{Decoder, Manifest};

use super::Shard;
use crate::error::PrepError;

/// The memory that one record after another is read and decoded in.
pub(crate) struct Reader {
    decoder: Decoder,
    pub(crate) stored: Vec<u8>,
    pub(crate) rgb: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        Self {
            decoder: Decoder::new(manifest.codec, manifest.shape()),
            stored: Vec::new(),
            rgb: vec![0; manifest.shape().bytes()],
        }
    }

    /// Reads the stored bytes of a record, compared with their checksum.
    pub(crate) fn read(&mut self, shard: &Shard, i: usize) -> Result<(), PrepError> {
        shard.read(i, &mut self.stored)
    }

    /// Reads and decodes a record.
    pub(crate) fn decode(&mut self, shard: &Shard, i: usize) -> Result<(), PrepError> {
        self.read(shard, i)?;
        self.decoder
            .decode(&self.stored, &mut self.rgb)
            .map_err(|source| PrepError::Codec {
                place: shard.place(i),
                source,
            })
    }
}
