//! The writing side of an ingest: shards in plan order, then the manifest.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use shardmill_formats::{
    ChannelSums, Class, Codec, Manifest, Preprocessing, Rejects, ShardEntry, ShardMetadata,
    ShardWriter, Source, Split, SplitStatistics, shard_file_name,
};

use super::worker::{Outcome, Record};
use super::{REJECTS_FILE, shape};
use crate::decode::{DECODER, RESIZER};
use crate::error::PrepError;
use crate::options::IngestOptions;
use crate::output::Output;
use crate::plan::{FILTER, GEOMETRY, Plan};
use crate::reject::RejectLine;

/// What the decoding side tells the writing side.
pub(super) enum Message {
    Shard {
        split: usize,
        shard: usize,
        shards: usize,
    },
    Records(Vec<Outcome>),
}

/// What the writing side made.
#[derive(Default)]
pub(super) struct Written {
    pub(super) splits: BTreeMap<&'static str, (Split, ChannelSums)>,
    pub(super) rejects: Vec<RejectLine>,
}

pub(super) struct Job<'a> {
    pub(super) options: &'a IngestOptions,
    pub(super) plan: &'a Plan,
    pub(super) classes: usize,
    pub(super) output: Output,
}

/// A shard that is being written.
struct OpenShard {
    split: &'static str,
    name: String,
    part: PathBuf,
    writer: ShardWriter<File>,
    sums: ChannelSums,
}

impl Job<'_> {
    pub(super) fn write(&mut self, receiver: &Receiver<Message>) -> Result<Written, PrepError> {
        let mut written = Written::default();
        let mut open: Option<OpenShard> = None;
        for message in receiver {
            match message {
                Message::Shard {
                    split,
                    shard,
                    shards,
                } => {
                    self.close(open.take(), &mut written)?;
                    open = Some(self.open(split, shard, shards)?);
                }
                Message::Records(outcomes) => {
                    let shard = open
                        .as_mut()
                        .expect("a shard is opened before its records come");
                    for outcome in outcomes {
                        match outcome {
                            Outcome::Record(record) => shard.append(&record)?,
                            Outcome::Reject(line) => written.rejects.push(line),
                        }
                    }
                }
            }
        }
        self.close(open, &mut written)?;
        Ok(written)
    }

    fn open(&mut self, split: usize, shard: usize, shards: usize) -> Result<OpenShard, PrepError> {
        let split = self.plan.splits[split].name;
        let name = shard_file_name(split, shard, shards);
        let (part, file) = self.output.begin(&name)?;
        let metadata = ShardMetadata {
            codec: self.options.codec,
            shape: shape(self.options),
            split: split.to_owned(),
            shard: shard as u64,
            shards: shards as u64,
            classes: self.classes as u64,
            fingerprint: self.plan.fingerprint.clone(),
            sums: ChannelSums::default(),
        };
        let writer = ShardWriter::new(file, metadata).map_err(|source| PrepError::Write {
            path: part.clone(),
            source,
        })?;
        Ok(OpenShard {
            split,
            name,
            part,
            writer,
            sums: ChannelSums::default(),
        })
    }

    /// Finishes a shard; one whose images were all rejected is not written.
    fn close(&mut self, open: Option<OpenShard>, written: &mut Written) -> Result<(), PrepError> {
        let Some(OpenShard {
            split,
            name,
            part,
            writer,
            sums,
        }) = open
        else {
            return Ok(());
        };
        if writer.is_empty() {
            drop(writer);
            return self.output.discard(&part);
        }
        let (file, summary) = writer.finish(&sums).map_err(|source| PrepError::Write {
            path: part.clone(),
            source,
        })?;
        self.output.finish(&part, &file, &name)?;
        let (split, total) = written.splits.entry(split).or_insert_with(|| {
            (
                Split {
                    records: 0,
                    labelled: true,
                    shards: Vec::new(),
                },
                ChannelSums::default(),
            )
        });
        split.records += summary.records;
        split.shards.push(ShardEntry {
            file: name,
            records: summary.records,
            bytes: summary.bytes,
            index_crc32c: format!("{:08x}", summary.index_crc32c),
            blake3: summary.blake3,
        });
        total.merge(&sums);
        Ok(())
    }

    pub(super) fn manifest(
        &self,
        classes: &[String],
        images: u64,
        written: &Written,
    ) -> Result<Manifest, PrepError> {
        if written.splits.is_empty() {
            let first = written.rejects.first().cloned();
            let (key, message) = first
                .map(|line| (line.key, line.message))
                .unwrap_or_default();
            return Err(PrepError::AllRejected {
                images,
                key,
                message,
            });
        }
        let statistics = written.splits.get("train").and_then(|(_, sums)| {
            let statistics = sums.statistics()?;
            Some(SplitStatistics {
                split: "train".to_owned(),
                pixels: sums.pixels,
                statistics,
            })
        });
        let rejects = written.rejects.len() as u64;
        Ok(Manifest {
            format: Manifest::format_name(),
            version: Manifest::format_version(),
            codec: self.options.codec,
            jpeg_quality: (self.options.codec == Codec::Jpeg).then_some(self.options.quality),
            height: self.options.size,
            width: self.options.size,
            preprocessing: Preprocessing {
                geometry: GEOMETRY.to_owned(),
                filter: FILTER.to_owned(),
                decoder: DECODER.to_owned(),
                resizer: RESIZER.to_owned(),
            },
            classes: classes
                .iter()
                .map(|name| Class {
                    synset: name.clone(),
                    name: name.clone(),
                })
                .collect(),
            splits: written
                .splits
                .iter()
                .map(|(name, (split, _))| ((*name).to_owned(), split.clone()))
                .collect(),
            statistics,
            source: Source {
                layout: "class-folders".to_owned(),
                images,
            },
            rejects: Rejects {
                count: rejects,
                file: (rejects > 0).then(|| REJECTS_FILE.to_owned()),
            },
            seed: self.options.seed,
            prep_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

impl OpenShard {
    fn append(&mut self, record: &Record) -> Result<(), PrepError> {
        self.sums.merge(&record.sums);
        self.writer
            .append(&record.key, record.label, &record.stored)
            .map_err(|source| PrepError::Write {
                path: self.part.clone(),
                source,
            })
    }
}
