//! The shards of a split, written one after the other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use shardmill_formats::{
    ChannelSums, SealedShard, ShardEntry, ShardMetadata, ShardSummary, ShardWriter, Split,
    WriteError, shard_file_name,
};

use super::{Record, Rewrite, ShardLine};
use crate::error::PrepError;
use crate::io::file;
use crate::io::flusher::Flusher;

/// Bytes written between two flushes.
const FLUSH_EVERY: usize = 32 << 20;

/// How many records go into each shard.
pub(crate) enum Sizes {
    /// Into this many shards of these sizes. Each gets its name when it is full, and is noted in the journal.
    Planned(Vec<u64>),
    /// Into shards of this size, whose number nobody knows before the end. All get their names then.
    Each(u64),
}

impl Sizes {
    /// Records of a shard.
    fn of(&self, shard: usize) -> Option<u64> {
        match self {
            Self::Planned(sizes) => sizes.get(shard).copied(),
            Self::Each(size) => Some(*size),
        }
    }
}

/// Writes the shards of a split one after the other, but those that are finished. Dropped, it takes away what
/// is not.
pub(crate) struct SplitWriter {
    folder: PathBuf,
    metadata: ShardMetadata,
    sizes: Sizes,
    open: Option<OpenShard>,
    /// Full shards without a name yet.
    sealed: Vec<Sealed>,
    split: Split,
    total: ChannelSums,
}

/// A shard that is being written. Dropped unfinished, it takes its file away.
struct OpenShard {
    part: PathBuf,
    /// `None` once it is finished.
    writer: Option<ShardWriter<File>>,
    sums: ChannelSums,
    /// Bytes since the last flush was asked for.
    unflushed: usize,
}

/// A full shard without its header. Dropped, it takes its file away.
struct Sealed {
    part: PathBuf,
    /// `None` once it is finished.
    shard: Option<SealedShard>,
}

impl SplitWriter {
    /// Shards in the folder of `work`; `metadata` holds what they have in common.
    ///
    /// # Errors
    /// A finished shard that is not as it was left.
    pub(crate) fn new(
        work: &Rewrite,
        metadata: ShardMetadata,
        labelled: bool,
        sizes: Sizes,
    ) -> Result<Self, PrepError> {
        let mut writer = Self {
            folder: work.path().to_owned(),
            split: Split {
                records: 0,
                labelled,
                shards: Vec::new(),
            },
            total: ChannelSums::default(),
            open: None,
            sealed: Vec::new(),
            metadata,
            sizes,
        };
        for line in work.lines() {
            if line.split == writer.metadata.split {
                writer.take_over(work, line.clone())?;
            }
        }
        Ok(writer)
    }

    /// Records in the shards that are finished: the first ones of the split.
    pub(crate) fn done(&self) -> u64 {
        self.split.records
    }

    /// Appends the next record, to a new shard if the last one is full.
    pub(crate) fn append(
        &mut self,
        work: &mut Rewrite,
        flusher: &Flusher,
        record: &Record,
    ) -> Result<(), PrepError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        open.sums.merge(&record.sums);
        open.unflushed += record.stored.len();
        if open.unflushed > FLUSH_EVERY {
            flusher.flush(&open.part);
            open.unflushed = 0;
        }
        let writer = open.writer.as_mut().expect("the shard is not finished");
        writer
            .append(&record.key, record.label, &record.stored)
            .map_err(write_error(&open.part))?;
        let size = self.sizes.of(self.next());
        if size.is_some_and(|size| writer.len() as u64 >= size) {
            self.close(work, open)
        } else {
            self.open = Some(open);
            Ok(())
        }
    }

    /// The split as the manifest describes it, and the sums over it. Shards of a number that was not planned
    /// get this `fingerprint` and their names.
    pub(crate) fn finish(
        mut self,
        work: &mut Rewrite,
        fingerprint: &str,
    ) -> Result<(Split, ChannelSums), PrepError> {
        if let Some(open) = self.open.take() {
            self.close(work, open)?;
        }
        let sealed = std::mem::take(&mut self.sealed);
        let shards = sealed.len();
        for (number, mut sealed) in sealed.into_iter().enumerate() {
            let mut shard = sealed.shard.take().expect("the shard is not finished");
            shard.metadata.shards = shards as u64;
            fingerprint.clone_into(&mut shard.metadata.fingerprint);
            let name = shard_file_name(&self.metadata.split, number, shards);
            let finish = || {
                let mut file = file::open_to_write(&sealed.part)?;
                let summary = shard.finish(&mut file);
                let summary = summary.map_err(write_error(&sealed.part))?;
                file::finish(&sealed.part, &file, &self.folder.join(&name))?;
                Ok(summary)
            };
            let summary = finish().inspect_err(|_| {
                let _ = fs::remove_file(&sealed.part);
                remove(&self.folder, &self.split);
            })?;
            self.count(entry(name, summary));
        }
        file::sync_folder(&self.folder)?;
        Ok((self.split, self.total))
    }

    /// Counts a shard of an earlier run, which must be the next one and there.
    fn take_over(&mut self, work: &Rewrite, line: ShardLine) -> Result<(), PrepError> {
        let ShardLine { entry, sums, .. } = line;
        let wrong = |path: PathBuf, message: String| {
            let folder = work.path().display();
            Err(PrepError::Source {
                path,
                message: format!("{message}: remove {folder} and begin again"),
            })
        };
        let next = self.split.shards.len();
        let expected = self.sizes.of(next);
        let name = self.name(next);
        let Ok(sums) = sums.parse() else {
            return wrong(work.journal().to_owned(), "its sums are damaged".to_owned());
        };
        if (&name, expected) != (&entry.file, Some(entry.records)) {
            let message = format!("it names {}, which is not the next shard", entry.file);
            return wrong(work.journal().to_owned(), message);
        }
        let path = work.path().join(&entry.file);
        let found = file::look(&path)?.map_or(0, |data| data.len());
        if found != entry.bytes {
            let message = format!("has {found} bytes, but was made with {}", entry.bytes);
            return wrong(path, message);
        }
        self.total.merge(&sums);
        self.count(entry);
        Ok(())
    }

    fn count(&mut self, entry: ShardEntry) {
        self.split.records += entry.records;
        self.split.shards.push(entry);
    }

    /// Number of the shard that is open, or comes next.
    fn next(&self) -> usize {
        self.split.shards.len() + self.sealed.len()
    }

    /// The name of a shard, which is not its last one if the number of shards is not planned.
    fn name(&self, shard: usize) -> String {
        let shards = match &self.sizes {
            Sizes::Planned(sizes) => sizes.len(),
            Sizes::Each(_) => 0,
        };
        shard_file_name(&self.metadata.split, shard, shards)
    }

    fn begin(&mut self) -> Result<OpenShard, PrepError> {
        let shard = self.next();
        let part = file::part_of(&self.folder.join(self.name(shard)));
        file::remove_left(&part)?;
        let file = file::create(&part)?;
        let mut open = OpenShard {
            part,
            writer: None,
            sums: ChannelSums::default(),
            unflushed: 0,
        };
        let metadata = ShardMetadata {
            shard: shard as u64,
            shards: match &self.sizes {
                Sizes::Planned(sizes) => sizes.len() as u64,
                // The largest that may come.
                Sizes::Each(_) => u64::MAX,
            },
            ..self.metadata.clone()
        };
        open.writer = Some(ShardWriter::new(file, metadata).map_err(write_error(&open.part))?);
        Ok(open)
    }

    fn close(&mut self, work: &mut Rewrite, mut open: OpenShard) -> Result<(), PrepError> {
        let writer = open.writer.take().expect("the shard is not finished");
        let left_over = |_: &PrepError| {
            let _ = fs::remove_file(&open.part);
        };
        self.total.merge(&open.sums);
        if let Sizes::Each(_) = self.sizes {
            let sealed = writer.seal(&open.sums).map_err(write_error(&open.part));
            let (_, shard) = sealed.inspect_err(left_over)?;
            self.sealed.push(Sealed {
                part: open.part.clone(),
                shard: Some(shard),
            });
            return Ok(());
        }
        let name = self.name(self.next());
        let finish = || {
            let (file, summary) = writer.finish(&open.sums).map_err(write_error(&open.part))?;
            file::finish(&open.part, &file, &self.folder.join(&name))?;
            file::sync_folder(&self.folder)?;
            Ok(summary)
        };
        let entry = entry(name.clone(), finish().inspect_err(left_over)?);
        work.append(ShardLine {
            split: self.metadata.split.clone(),
            entry: entry.clone(),
            sums: open.sums.to_string(),
        })?;
        self.count(entry);
        Ok(())
    }
}

/// Takes the shards of a split away, whose dataset could not be completed.
pub(crate) fn remove(folder: &Path, split: &Split) {
    for entry in &split.shards {
        let _ = fs::remove_file(folder.join(&entry.file));
    }
}

fn entry(file: String, summary: ShardSummary) -> ShardEntry {
    ShardEntry {
        file,
        records: summary.records,
        bytes: summary.bytes,
        index_crc32c: format!("{:08x}", summary.index_crc32c),
        blake3: summary.blake3,
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        if self.shard.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

impl Drop for OpenShard {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn write_error(path: &Path) -> impl FnOnce(WriteError) -> PrepError + use<> {
    let path = path.to_owned();
    move |source| PrepError::Write { path, source }
}
