//! The writing side of an ingest: shards in plan order, each named in the journal when it is done.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use shardmill_formats::{
    ChannelSums, Class, Codec, Manifest, Preprocessing, Rejects, ShardEntry, ShardMetadata,
    ShardWriter, Source, shard_file_name,
};

use super::folder::Folder;
use super::journal::ShardLine;
use super::worker::{Outcome, Record};
use super::{limit, shape};
use crate::decode::{DECODER, RESIZER};
use crate::error::PrepError;
use crate::options::IngestOptions;
use crate::output::{PART, sync_folder};
use crate::plan::Plan;
use crate::reject::RejectLine;
use crate::source::Layout;

/// A shard's place in the plan.
#[derive(Clone, Copy)]
pub(super) struct ShardPlace {
    /// Index of its split.
    pub(super) split: usize,
    pub(super) shard: usize,
    /// Number of shards of the split.
    pub(super) shards: usize,
}

/// What the decoding side tells the writing side.
pub(super) enum Message {
    Shard(ShardPlace),
    Records(Vec<Outcome>),
    /// The shard has all its records.
    End,
}

pub(super) struct Job<'a> {
    pub(super) options: &'a IngestOptions,
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a mut Folder,
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
}

impl Job<'_> {
    /// Writes what is sent. A shard that ends before its [`Message::End`] came is taken away.
    pub(super) fn write(&mut self, receiver: &Receiver<Message>) -> Result<(), PrepError> {
        let images = self.folder.journal.head.manifest.source.images;
        // Those of earlier runs count too.
        let earlier = self.folder.journal.lines.iter();
        let mut rejects: Vec<RejectLine> = earlier.flat_map(|line| line.rejects.clone()).collect();
        let mut open: Option<OpenShard> = None;
        for message in receiver {
            match message {
                Message::Shard(place) => open = Some(self.open(place)?),
                Message::Records(outcomes) => {
                    let shard = open
                        .as_mut()
                        .expect("a shard is opened before its records come");
                    for outcome in outcomes {
                        match outcome {
                            Outcome::Record(record) => shard.append(&record)?,
                            Outcome::Reject(line) => {
                                shard.rejects.push(line.clone());
                                rejects.push(line);
                                limit::check(self.options, images, &rejects)?;
                            }
                        }
                    }
                }
                Message::End => {
                    let shard = open.take().expect("a shard is opened before it ends");
                    let line = self.close(shard)?;
                    self.folder.journal.append(line)?;
                    self.folder.keep();
                }
            }
        }
        Ok(())
    }

    fn open(&self, place: ShardPlace) -> Result<OpenShard, PrepError> {
        let split = self.plan.splits[place.split].name;
        let name = shard_file_name(split, place.shard, place.shards);
        let part = self.folder.path().join(format!("{name}.{PART}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&part);
        let file = file.map_err(PrepError::io(&part))?;
        let mut shard = OpenShard {
            place,
            name,
            part,
            writer: None,
            sums: ChannelSums::default(),
            rejects: Vec::new(),
        };
        let metadata = ShardMetadata {
            codec: self.options.codec,
            shape: shape(self.options),
            split: split.to_owned(),
            shard: place.shard as u64,
            shards: place.shards as u64,
            classes: self.folder.journal.head.manifest.classes.len() as u64,
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
            file.sync_all().map_err(PrepError::io(&shard.part))?;
            let path = self.folder.path().join(&shard.name);
            fs::rename(&shard.part, &path).map_err(PrepError::io(&path))?;
            sync_folder(self.folder.path())?;
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
    fn append(&mut self, record: &Record) -> Result<(), PrepError> {
        self.sums.merge(&record.sums);
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
pub(super) fn manifest_head(
    options: &IngestOptions,
    layout: Layout,
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
            layout: layout.to_string(),
            images,
        },
        rejects: Rejects::default(),
        seed: options.seed,
        prep_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
