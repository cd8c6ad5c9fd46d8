//! The file of a shard while it is written.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use shardmill_formats::{
    ChannelSums, SealedShard, ShardEntry, ShardMetadata, ShardSummary, ShardWriter, WriteError,
};

use super::Record;
use crate::error::PrepError;
use crate::io::file;
use crate::io::flusher::Flusher;

/// Bytes written between two flushes.
const FLUSH_EVERY: usize = 32 << 20;

/// A shard that is being written, under a name that says so. Dropped unfinished, it removes its file.
pub(crate) struct ShardFile {
    folder: PathBuf,
    name: String,
    part: PathBuf,
    /// `None` once the shard is finished.
    writer: Option<ShardWriter<File>>,
    sums: ChannelSums,
    /// Bytes since the last flush was asked for.
    unflushed: usize,
}

impl ShardFile {
    /// Begins the shard that will be called `name` in `folder`.
    pub(crate) fn create(
        folder: &Path,
        name: String,
        metadata: ShardMetadata,
    ) -> Result<Self, PrepError> {
        let part = file::part_of(&folder.join(&name));
        Self::create_as(folder, name, part, metadata)
    }

    /// As [`create`](Self::create), with the name of the unfinished file.
    pub(crate) fn create_as(
        folder: &Path,
        name: String,
        part: PathBuf,
        metadata: ShardMetadata,
    ) -> Result<Self, PrepError> {
        let writer = ShardWriter::new(file::create(&part)?, metadata);
        let writer = writer.map_err(write_error(&part)).inspect_err(|_| {
            let _ = fs::remove_file(&part);
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            name,
            part,
            writer: Some(writer),
            sums: ChannelSums::default(),
            unflushed: 0,
        })
    }

    pub(crate) fn append(&mut self, record: &Record, flusher: &Flusher) -> Result<(), PrepError> {
        self.sums.merge(&record.sums);
        self.unflushed += record.stored.len();
        if self.unflushed > FLUSH_EVERY {
            flusher.flush(&self.part);
            self.unflushed = 0;
        }
        let writer = self.writer.as_mut().expect("the shard is not finished");
        writer
            .append(&record.key, record.label, &record.stored)
            .map_err(write_error(&self.part))
    }

    /// Number of its records.
    pub(crate) fn len(&self) -> usize {
        self.writer.as_ref().map_or(0, ShardWriter::len)
    }

    /// Sums over its pixels.
    pub(crate) const fn sums(&self) -> ChannelSums {
        self.sums
    }

    /// Writes the header, syncs the file and gives it its name.
    pub(crate) fn finish(mut self) -> Result<ShardEntry, PrepError> {
        let writer = self.writer.take().expect("the shard is not finished");
        let finish = || {
            let (file, summary) = writer.finish(&self.sums).map_err(write_error(&self.part))?;
            file::finish(&self.part, &file, &self.folder.join(&self.name))?;
            file::sync_folder(&self.folder)?;
            Ok(summary)
        };
        let summary = finish().inspect_err(|_| {
            let _ = fs::remove_file(&self.part);
        })?;
        Ok(entry(std::mem::take(&mut self.name), summary))
    }

    /// Ends the shard without its header, which says how many shards there are.
    pub(crate) fn seal(mut self) -> Result<SealedFile, PrepError> {
        let writer = self.writer.take().expect("the shard is not finished");
        let sealed = writer.seal(&self.sums).map_err(write_error(&self.part));
        let (_, shard) = sealed.inspect_err(|_| {
            let _ = fs::remove_file(&self.part);
        })?;
        Ok(SealedFile {
            part: self.part.clone(),
            shard: Some(shard),
        })
    }

    /// Removes the file.
    pub(crate) fn discard(mut self) -> Result<(), PrepError> {
        self.writer = None;
        fs::remove_file(&self.part).map_err(PrepError::io(&self.part))
    }
}

impl Drop for ShardFile {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// A full shard without its header. Dropped unfinished, it removes its file.
pub(crate) struct SealedFile {
    part: PathBuf,
    /// `None` once the shard is finished.
    shard: Option<SealedShard>,
}

impl SealedFile {
    /// Writes the header for one of `shards` shards with this fingerprint, and gives the file its name.
    pub(crate) fn finish(
        mut self,
        shards: usize,
        fingerprint: &str,
        folder: &Path,
        name: String,
    ) -> Result<ShardEntry, PrepError> {
        let mut shard = self.shard.take().expect("the shard is not finished");
        shard.metadata.shards = shards as u64;
        fingerprint.clone_into(&mut shard.metadata.fingerprint);
        let finish = || {
            let mut file = file::open_to_write(&self.part)?;
            let summary = shard.finish(&mut file);
            let summary = summary.map_err(write_error(&self.part))?;
            file::finish(&self.part, &file, &folder.join(&name))?;
            Ok(summary)
        };
        let summary = finish().inspect_err(|_| {
            let _ = fs::remove_file(&self.part);
        })?;
        Ok(entry(name, summary))
    }
}

impl Drop for SealedFile {
    fn drop(&mut self) {
        if self.shard.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// A finished shard as the manifest lists it.
fn entry(file: String, summary: ShardSummary) -> ShardEntry {
    ShardEntry {
        file,
        records: summary.records,
        bytes: summary.bytes,
        index_crc32c: format!("{:08x}", summary.index_crc32c),
        blake3: summary.blake3,
    }
}

fn write_error(path: &Path) -> impl FnOnce(WriteError) -> PrepError + use<> {
    let path = path.to_owned();
    move |source| PrepError::Write { path, source }
}
