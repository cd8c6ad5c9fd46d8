//! New shards from records that exist already.

use std::fs::File;
use std::path::{Path, PathBuf};

use shardmill_formats::{
    ChannelSums, Decoder, ShardEntry, ShardMetadata, ShardWriter, Split, SplitStatistics,
    WriteError, shard_file_name,
};

use crate::dataset::Shard;
use crate::error::PrepError;
use crate::output::Output;

/// The split that statistics are taken over.
pub(crate) const TRAIN: &str = "train";

/// A record ready to be written.
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) label: i64,
    pub(crate) stored: Vec<u8>,
    pub(crate) sums: ChannelSums,
}

/// The memory that one record after another is read and decoded in.
pub(crate) struct Reader {
    decoder: Decoder,
    pub(crate) stored: Vec<u8>,
    pub(crate) rgb: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(manifest: &shardmill_formats::Manifest) -> Self {
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

/// Writes the shards of a split one after the other.
pub(crate) struct SplitWriter<'a> {
    output: &'a mut Output,
    metadata: ShardMetadata,
    /// Records of each shard.
    sizes: Vec<u64>,
    open: Option<OpenShard>,
    split: Split,
    total: ChannelSums,
}

struct OpenShard {
    name: String,
    part: PathBuf,
    writer: ShardWriter<File>,
    sums: ChannelSums,
}

impl<'a> SplitWriter<'a> {
    /// Shards of `sizes` records; `metadata` holds what they have in common.
    pub(crate) fn new(
        output: &'a mut Output,
        metadata: ShardMetadata,
        labelled: bool,
        sizes: Vec<u64>,
    ) -> Self {
        Self {
            output,
            metadata,
            sizes,
            open: None,
            split: Split {
                records: 0,
                labelled,
                shards: Vec::new(),
            },
            total: ChannelSums::default(),
        }
    }

    /// Appends the next record, to a new shard if the last one is full.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), PrepError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        open.sums.merge(&record.sums);
        open.writer
            .append(&record.key, record.label, &record.stored)
            .map_err(write_error(&open.part))?;
        let size = self.sizes.get(self.split.shards.len()).copied();
        if size.is_some_and(|size| open.writer.len() as u64 >= size) {
            self.close(open)
        } else {
            self.open = Some(open);
            Ok(())
        }
    }

    /// The split as the manifest describes it, and the sums over it.
    pub(crate) fn finish(mut self) -> Result<(Split, ChannelSums), PrepError> {
        if let Some(open) = self.open.take() {
            self.close(open)?;
        }
        Ok((self.split, self.total))
    }

    fn begin(&mut self) -> Result<OpenShard, PrepError> {
        let (shard, shards) = (self.split.shards.len(), self.sizes.len());
        let name = shard_file_name(&self.metadata.split, shard, shards);
        let (part, file) = self.output.begin(&name)?;
        let metadata = ShardMetadata {
            shard: shard as u64,
            shards: shards as u64,
            ..self.metadata.clone()
        };
        let writer = ShardWriter::new(file, metadata).map_err(write_error(&part))?;
        Ok(OpenShard {
            name,
            part,
            writer,
            sums: ChannelSums::default(),
        })
    }

    fn close(&mut self, open: OpenShard) -> Result<(), PrepError> {
        let OpenShard {
            name,
            part,
            writer,
            sums,
        } = open;
        let (file, summary) = writer.finish(&sums).map_err(write_error(&part))?;
        self.output.finish(&part, &file, &name)?;
        self.split.records += summary.records;
        self.split.shards.push(ShardEntry {
            file: name,
            records: summary.records,
            bytes: summary.bytes,
            index_crc32c: format!("{:08x}", summary.index_crc32c),
            blake3: summary.blake3,
        });
        self.total.merge(&sums);
        Ok(())
    }
}

fn write_error(path: &Path) -> impl FnOnce(WriteError) -> PrepError {
    let path = path.to_owned();
    move |source| PrepError::Write { path, source }
}

/// Statistics for the manifest from the sums over the training split.
pub(crate) fn statistics(train: &ChannelSums) -> Option<SplitStatistics> {
    let statistics = train.statistics()?;
    Some(SplitStatistics {
        split: TRAIN.to_owned(),
        pixels: train.pixels,
        statistics,
    })
}

/// Identifies what shards are made from: a dataset, and what is done to it.
pub(crate) fn fingerprint(manifest: &shardmill_formats::Manifest, work: &str) -> String {
    let mut hash = blake3::Hasher::new();
    for part in [&manifest.to_json(), work, env!("CARGO_PKG_VERSION")] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().to_hex()[..32].to_owned()
}
