//! The shards of a split, written one after another.

use std::fs;
use std::path::{Path, PathBuf};

use shardmill_formats::{ChannelSums, ShardEntry, ShardMetadata, Split, shard_file_name};

use super::Record;
use super::file::{SealedFile, ShardFile};
use super::rewrite::{RewriteFolder, ShardLine};
use crate::error::PrepError;
use crate::io::file;
use crate::io::flusher::Flusher;

/// How many records go into each shard.
pub(crate) enum Sizes {
    /// Into shards of these sizes. Each gets its name when it is full, and is added to the journal.
    Planned(Vec<u64>),
    /// Into shards of this size, whose number is known only at the end. All get their names then.
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

/// Writes the shards of a split one after another, except those that are finished. Dropped, it removes unfinished
/// ones.
pub(crate) struct SplitWriter {
    folder: PathBuf,
    metadata: ShardMetadata,
    sizes: Sizes,
    open: Option<ShardFile>,
    /// Full shards without a name yet.
    sealed: Vec<SealedFile>,
    split: Split,
    total: ChannelSums,
}

impl SplitWriter {
    /// Shards in the folder of `work`; `metadata` holds what they have in common.
    ///
    /// # Errors
    /// A finished shard has changed.
    pub(crate) fn new(
        work: &RewriteFolder,
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
        work: &mut RewriteFolder,
        flusher: &Flusher,
        record: &Record,
    ) -> Result<(), PrepError> {
        let mut shard = match self.open.take() {
            Some(shard) => shard,
            None => self.begin()?,
        };
        shard.append(record, flusher)?;
        let size = self.sizes.of(self.next());
        if size.is_some_and(|size| shard.len() as u64 >= size) {
            self.close(work, shard)
        } else {
            self.open = Some(shard);
            Ok(())
        }
    }

    /// The split as the manifest describes it, and the sums over it. Shards of a number that was not planned
    /// get this `fingerprint` and their names.
    pub(crate) fn finish(
        mut self,
        work: &mut RewriteFolder,
        fingerprint: &str,
    ) -> Result<(Split, ChannelSums), PrepError> {
        if let Some(open) = self.open.take() {
            self.close(work, open)?;
        }
        let sealed = std::mem::take(&mut self.sealed);
        let shards = sealed.len();
        for (number, sealed) in sealed.into_iter().enumerate() {
            let name = shard_file_name(&self.metadata.split, number, shards);
            let entry = sealed.finish(shards, fingerprint, &self.folder, name);
            self.count(entry.inspect_err(|_| remove(&self.folder, &self.split))?);
        }
        file::sync_folder(&self.folder)?;
        Ok((self.split, self.total))
    }

    /// Takes over a shard of an earlier run, which must be the next one.
    fn take_over(&mut self, work: &RewriteFolder, line: ShardLine) -> Result<(), PrepError> {
        let ShardLine { entry, sums, .. } = line;
        let wrong = |path: PathBuf, message: String| {
            let folder = work.path().display();
            Err(PrepError::Source {
                path,
                message: format!("{message}: remove {folder} and start over"),
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

    fn begin(&self) -> Result<ShardFile, PrepError> {
        let shard = self.next();
        let name = self.name(shard);
        file::remove_left(&file::part_of(&self.folder.join(&name)))?;
        let metadata = ShardMetadata {
            shard: shard as u64,
            shards: match &self.sizes {
                Sizes::Planned(sizes) => sizes.len() as u64,
                // The largest that may come.
                Sizes::Each(_) => u64::MAX,
            },
            ..self.metadata.clone()
        };
        ShardFile::create(&self.folder, name, metadata)
    }

    fn close(&mut self, work: &mut RewriteFolder, shard: ShardFile) -> Result<(), PrepError> {
        let sums = shard.sums();
        self.total.merge(&sums);
        if let Sizes::Each(_) = self.sizes {
            self.sealed.push(shard.seal()?);
            return Ok(());
        }
        let entry = shard.finish()?;
        work.append(ShardLine {
            split: self.metadata.split.clone(),
            entry: entry.clone(),
            sums: sums.to_string(),
        })?;
        self.count(entry);
        Ok(())
    }
}

/// Removes the shards of a split whose dataset could not be completed.
pub(crate) fn remove(folder: &Path, split: &Split) {
    for entry in &split.shards {
        let _ = fs::remove_file(folder.join(&entry.file));
    }
}
