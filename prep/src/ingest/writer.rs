//! The writing side of an ingest: shards in plan order, each named in the journal when it is done.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use shardmill_formats::{
    ChannelSums, Class, Codec, Manifest, Preprocessing, Rejects, ShardEntry, ShardMetadata,
    ShardWriter, Source, shard_file_name,
};

use super::journal::{PartWork, ShardLine};
use super::worker::{Outcome, Record, Recycled};
use super::{limit, shape};
use crate::decode::{DECODER, RESIZER};
use crate::error::PrepError;
use crate::ingest::options::IngestOptions;
use crate::ingest::plan::Plan;
use crate::io::file;
use crate::io::flusher::Flusher;
use crate::reject::{RejectLine, WarningLine};

/// Bytes written between two flushes.
const FLUSH_EVERY: usize = 32 << 20;

/// A shard's place in the plan.
#[derive(Clone, Copy)]
pub(super) struct ShardPlace {
    /// Index of its split.
    pub(super) split: usize,
    pub(super) shard: usize,
    /// Number of shards of the split.
    pub(super) shards: usize,
}

/// Takes what became of the images, in plan order, and makes shards of it.
pub(super) struct Job<'a> {
    options: &'a IngestOptions,
    plan: &'a Plan,
    work: &'a mut PartWork,
    /// The shards to make, with the number of images of each.
    shards: std::slice::Iter<'a, (ShardPlace, usize)>,
    open: Option<OpenShard>,
    /// All of this ingest, those of earlier runs too.
    rejects: Vec<RejectLine>,
    flusher: Flusher,
    recycled: Recycled,
}

/// A shard that is being written. Dropped unfinished, it takes its file away.
struct OpenShard {
    place: ShardPlace,
    name: String,
    part: PathBuf,
    /// `None` once it is finished.
    writer: Option<ShardWriter<File>>,
    sums: ChannelSums,
    rejects: Vec<RejectLine>,
    warned: BTreeMap<String, u64>,
    warnings: Vec<WarningLine>,
    /// Images that are still to come.
    left: usize,
    /// Bytes since the last flush was asked for.
    unflushed: usize,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        options: &'a IngestOptions,
        plan: &'a Plan,
        shards: &'a [(ShardPlace, usize)],
        work: &'a mut PartWork,
        recycled: Recycled,
    ) -> Self {
        let earlier = work.lines().iter();
        let rejects = earlier.flat_map(|line| line.rejects.clone()).collect();
        Self {
            options,
            plan,
            work,
            shards: shards.iter(),
            open: None,
            rejects,
            flusher: Flusher::new(),
            recycled,
        }
    }

    /// Takes the next image. The first one of a shard opens it, and the last one finishes it and names
    /// it in the journal; a shard that is never finished is taken away.
    pub(super) fn take(&mut self, outcome: Outcome) -> Result<(), PrepError> {
        let mut shard = match self.open.take() {
            Some(shard) => shard,
            None => {
                let next = self.shards.next();
                let &(place, images) = next.expect("the shards have room for every image");
                self.begin(place, images)?
            }
        };
        match outcome {
            Outcome::Record(record) => {
                shard.append(&record, &self.flusher)?;
                self.recycled.give(record.stored);
            }
            Outcome::Reject(line) => {
                shard.rejects.push(line.clone());
                self.rejects.push(line);
                let images = self.work.head().manifest.source.images;
                limit::check(self.options, images, &self.rejects)?;
            }
        }
        shard.left -= 1;
        if shard.left > 0 {
            self.open = Some(shard);
            return Ok(());
        }
        let line = self.close(shard)?;
        self.work.append(line)
    }

    fn begin(&self, place: ShardPlace, images: usize) -> Result<OpenShard, PrepError> {
        let split = self.plan.splits[place.split].name;
        let name = shard_file_name(split, place.shard, place.shards);
        let part = file::part_of(&self.work.path().join(&name));
        let file = file::create(&part)?;
        let mut shard = OpenShard {
            place,
            name,
            part,
            writer: None,
            sums: ChannelSums::default(),
            rejects: Vec::new(),
            warned: BTreeMap::new(),
            warnings: Vec::new(),
            left: images,
            unflushed: 0,
        };
        let metadata = ShardMetadata {
            codec: self.options.codec,
            shape: shape(self.options),
            split: split.to_owned(),
            shard: place.shard as u64,
            shards: place.shards as u64,
            classes: self.work.head().manifest.classes.len() as u64,
            fingerprint: self.plan.fingerprint.clone(),
            sums: ChannelSums::default(),
        };
        let writer = ShardWriter::new(file, metadata);
        shard.writer = Some(writer.map_err(write_error(&shard.part))?);
        Ok(shard)
    }

    /// Finishes a shard; one whose images were all rejected leaves no file.
    fn close(&self, mut shard: OpenShard) -> Result<ShardLine, PrepError> {
        let mut line = ShardLine {
            split: self.plan.splits[shard.place.split].name.to_owned(),
            shard: shard.place.shard,
            entry: None,
            sums: shard.sums.to_string(),
            rejects: std::mem::take(&mut shard.rejects),
            warned: std::mem::take(&mut shard.warned),
            warnings: std::mem::take(&mut shard.warnings),
        };
        let Some(writer) = shard.writer.take() else {
            return Ok(line);
        };
        if writer.is_empty() {
            drop(writer);
            fs::remove_file(&shard.part).map_err(PrepError::io(&shard.part))?;
            return Ok(line);
        }
        let finish = || {
            let (file, summary) = writer
                .finish(&shard.sums)
                .map_err(write_error(&shard.part))?;
            file::finish(&shard.part, &file, &self.work.path().join(&shard.name))?;
            file::sync_folder(self.work.path())?;
            Ok(summary)
        };
        let summary = finish().inspect_err(|_| {
            let _ = fs::remove_file(&shard.part);
        })?;
        line.entry = Some(ShardEntry {
            file: shard.name.clone(),
            records: summary.records,
            bytes: summary.bytes,
            index_crc32c: format!("{:08x}", summary.index_crc32c),
            blake3: summary.blake3,
        });
        Ok(line)
    }
}

impl OpenShard {
    fn append(&mut self, record: &Record, flusher: &Flusher) -> Result<(), PrepError> {
        self.sums.merge(&record.sums);
        if let Some(warning) = record.warning {
            *self.warned.entry(warning.code().to_owned()).or_default() += 1;
            self.warnings.push(WarningLine {
                key: record.key.clone(),
                warning: warning.code().into(),
            });
        }
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
}

impl Drop for OpenShard {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn write_error(path: &Path) -> impl Fn(shardmill_formats::WriteError) -> PrepError + '_ {
    |source| PrepError::Write {
        path: path.to_owned(),
        source,
    }
}

/// The manifest as far as the plan knows it.
pub(crate) fn manifest_head(
    options: &IngestOptions,
    layout: &str,
    classes: Vec<Class>,
    images: u64,
) -> Manifest {
    Manifest {
        format: Manifest::format_name(),
        version: Manifest::format_version(),
        codec: options.codec,
        jpeg_quality: (options.codec == Codec::Jpeg).then_some(options.quality),
        height: options.size,
        width: options.size,
        preprocessing: Preprocessing {
            geometry: options.decode.geometry().to_owned(),
            filter: options.decode.filter().to_owned(),
            decoder: DECODER.to_owned(),
            resizer: RESIZER.to_owned(),
            exif: options.decode.exif_noted(),
            truncated: options.decode.truncated_noted(),
        },
        classes,
        splits: Default::default(),
        statistics: None,
        source: Source {
            layout: layout.to_owned(),
            images,
        },
        rejects: Rejects::default(),
        seed: options.seed,
        prep_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
