//! New shards from records that exist already, made one after the other in a folder that an interrupted run
//! of the same work may have left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shardmill_formats::{
    ChannelSums, Decoder, MANIFEST_FILE, Manifest, ShardEntry, ShardMetadata, ShardWriter, Split,
    SplitStatistics, WriteError, shard_file_name,
};

use crate::dataset::{Shard, check_made_from, read_manifest, write_manifest};
use crate::error::PrepError;
use crate::ingest::REJECTS_FILE;
use crate::output::{Before, Choices, Head, Work, check_contents, file, finished_name};

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

/// What [`convert`](crate::convert) or [`subset`](crate::subset) made.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// The new dataset's manifest.
    pub manifest: Manifest,
    /// Whether the dataset was complete before, so that nothing was done.
    pub was_complete: bool,
}

/// The first line of the journal: what is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RewriteHead {
    fingerprint: String,
    #[serde(default)]
    choices: Choices,
}

/// Another line: a finished shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShardLine {
    split: String,
    entry: ShardEntry,
    /// Sums over its pixels.
    sums: String,
}

/// The folder of the new dataset.
pub(crate) type Rewrite = Work<RewriteHead, ShardLine>;

impl Head for RewriteHead {
    fn differs(&self, theirs: &Self) -> Option<String> {
        (self.fingerprint != theirs.fingerprint).then(|| difference(&self.choices, &theirs.choices))
    }
}

/// How work of another fingerprint differs, as far as the options tell.
pub(crate) fn difference(ours: &Choices, theirs: &Choices) -> String {
    ours.changed_from(theirs).unwrap_or_else(|| {
        match theirs.is_empty() {
            true => "its dataset or options were others",
            false => "its dataset, or the version of prep, was another",
        }
        .to_owned()
    })
}

/// What the folder of the new dataset is found as.
pub(crate) enum Begun {
    /// The dataset is there.
    Complete(Box<Manifest>),
    /// It is to be made, or gone on with.
    Work(Rewrite),
}

/// Takes the folder `out` for the dataset that the work with this fingerprint and these options makes, of
/// shards with these sizes in these splits. `journal` is the name of its journal.
pub(crate) fn begin(
    out: &Path,
    journal: &str,
    fingerprint: &str,
    choices: Choices,
    splits: &[(&str, Vec<u64>)],
) -> Result<Begun, PrepError> {
    let head = RewriteHead {
        fingerprint: fingerprint.to_owned(),
        choices,
    };
    match Before::look(out, |name| name == journal, MANIFEST_FILE)? {
        Before::Nothing => {}
        Before::Unfinished(journals) => {
            head.check_journals::<ShardLine>(out, &journals)?;
            let names = splits.iter().flat_map(|(split, sizes)| {
                (0..sizes.len()).map(|shard| shard_file_name(split, shard, sizes.len()))
            });
            let names: std::collections::BTreeSet<String> = names.collect();
            check_contents(out, |name, is_folder| {
                let name = finished_name(name);
                !is_folder
                    && ([journal, MANIFEST_FILE, REJECTS_FILE].contains(&name)
                        || names.contains(name))
            })?;
        }
        Before::Finished => {
            let (_, manifest) = read_manifest(out)?;
            if check_made_from(out, &manifest, fingerprint)? {
                return Ok(Begun::Complete(Box::new(manifest)));
            }
            let known = head.choices.changed_from(&Choices::of_codec(&manifest));
            return Err(PrepError::OtherResult {
                folder: out.to_owned(),
                what: known.unwrap_or_else(|| difference(&head.choices, &Choices::default())),
            });
        }
    }
    Work::take(out, journal, head).map(Begun::Work)
}

/// The records that are finished.
pub(crate) fn records_done(work: &Rewrite) -> u64 {
    work.lines().iter().map(|line| line.entry.records).sum()
}

/// The bytes that are finished.
pub(crate) fn bytes_done(work: &Rewrite) -> u64 {
    work.lines().iter().map(|line| line.entry.bytes).sum()
}

/// Writes the list of rejects, if there is one, and, last, the manifest.
pub(crate) fn complete(
    work: Rewrite,
    rejects: Option<&[u8]>,
    manifest: &Manifest,
) -> Result<(), PrepError> {
    if let Some(lines) = rejects {
        file::replace(&work.path().join(REJECTS_FILE), lines)?;
    }
    write_manifest(work.path(), manifest)?;
    work.finish()
}

/// Writes the shards of a split one after the other, but those that are finished.
pub(crate) struct SplitWriter<'a> {
    work: &'a mut Rewrite,
    metadata: ShardMetadata,
    /// Records of each shard.
    sizes: Vec<u64>,
    open: Option<OpenShard>,
    split: Split,
    total: ChannelSums,
}

/// A shard that is being written. Dropped unfinished, it takes its file away.
struct OpenShard {
    name: String,
    part: PathBuf,
    /// `None` once it is finished.
    writer: Option<ShardWriter<File>>,
    sums: ChannelSums,
}

impl<'a> SplitWriter<'a> {
    /// Shards of `sizes` records; `metadata` holds what they have in common.
    ///
    /// # Errors
    /// A finished shard that is not as it was left.
    pub(crate) fn new(
        work: &'a mut Rewrite,
        metadata: ShardMetadata,
        labelled: bool,
        sizes: Vec<u64>,
    ) -> Result<Self, PrepError> {
        let mut writer = Self {
            split: Split {
                records: 0,
                labelled,
                shards: Vec::new(),
            },
            total: ChannelSums::default(),
            open: None,
            metadata,
            sizes,
            work,
        };
        let done = writer.work.lines().iter();
        let done: Vec<ShardLine> = done
            .filter(|line| line.split == writer.metadata.split)
            .cloned()
            .collect();
        for line in done {
            writer.take_over(line)?;
        }
        Ok(writer)
    }

    /// Records in the shards that are finished: the first ones of the split.
    pub(crate) fn done(&self) -> u64 {
        self.split.records
    }

    /// Appends the next record, to a new shard if the last one is full.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), PrepError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        open.sums.merge(&record.sums);
        let writer = open.writer.as_mut().expect("the shard is not finished");
        writer
            .append(&record.key, record.label, &record.stored)
            .map_err(write_error(&open.part))?;
        let size = self.sizes.get(self.split.shards.len());
        if size.is_some_and(|&size| writer.len() as u64 >= size) {
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

    /// Counts a shard of an earlier run, which must be the next one and there.
    fn take_over(&mut self, line: ShardLine) -> Result<(), PrepError> {
        let ShardLine { entry, sums, .. } = line;
        let wrong = |path: PathBuf, message: String| {
            let folder = self.work.path().display();
            Err(PrepError::Source {
                path,
                message: format!("{message}: remove {folder} and begin again"),
            })
        };
        let next = self.split.shards.len();
        let expected = self.sizes.get(next).copied();
        let name = shard_file_name(&self.metadata.split, next, self.sizes.len());
        let Ok(sums) = sums.parse() else {
            return wrong(
                self.work.journal().to_owned(),
                "its sums are damaged".to_owned(),
            );
        };
        if (&name, expected) != (&entry.file, Some(entry.records)) {
            let message = format!("it names {}, which is not the next shard", entry.file);
            return wrong(self.work.journal().to_owned(), message);
        }
        let path = self.work.path().join(&entry.file);
        let found = file::look(&path)?.map_or(0, |data| data.len());
        if found != entry.bytes {
            let message = format!("has {found} bytes, but was made with {}", entry.bytes);
            return wrong(path, message);
        }
        self.total.merge(&sums);
        self.split.records += entry.records;
        self.split.shards.push(entry);
        Ok(())
    }

    fn begin(&mut self) -> Result<OpenShard, PrepError> {
        let (shard, shards) = (self.split.shards.len(), self.sizes.len());
        let name = shard_file_name(&self.metadata.split, shard, shards);
        let part = file::part_of(&self.work.path().join(&name));
        file::remove_left(&part)?;
        let file = file::create(&part)?;
        let mut open = OpenShard {
            name,
            part,
            writer: None,
            sums: ChannelSums::default(),
        };
        let metadata = ShardMetadata {
            shard: shard as u64,
            shards: shards as u64,
            ..self.metadata.clone()
        };
        open.writer = Some(ShardWriter::new(file, metadata).map_err(write_error(&open.part))?);
        Ok(open)
    }

    fn close(&mut self, mut open: OpenShard) -> Result<(), PrepError> {
        let writer = open.writer.take().expect("the shard is not finished");
        let folder = self.work.path();
        let finish = || {
            let (file, summary) = writer.finish(&open.sums).map_err(write_error(&open.part))?;
            file::finish(&open.part, &file, &folder.join(&open.name))?;
            file::sync_folder(folder)?;
            Ok(summary)
        };
        let summary = finish().inspect_err(|_| {
            let _ = fs::remove_file(&open.part);
        })?;
        let entry = ShardEntry {
            file: open.name.clone(),
            records: summary.records,
            bytes: summary.bytes,
            index_crc32c: format!("{:08x}", summary.index_crc32c),
            blake3: summary.blake3,
        };
        self.work.append(ShardLine {
            split: self.metadata.split.clone(),
            entry: entry.clone(),
            sums: open.sums.to_string(),
        })?;
        self.split.records += entry.records;
        self.split.shards.push(entry);
        self.total.merge(&open.sums);
        Ok(())
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
pub(crate) fn fingerprint(manifest: &Manifest, work: &str) -> String {
    let mut hash = blake3::Hasher::new();
    for part in [&manifest.to_json(), work, env!("CARGO_PKG_VERSION")] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().to_hex()[..32].to_owned()
}
