//! The writing side of an ingest: shards in plan order, each named in the journal when it is done.

use std::collections::BTreeMap;

use shardmill_formats::{ChannelSums, ShardMetadata, shard_file_name};

use super::journal::ShardLine;
use super::limit;
use super::options::IngestOptions;
use super::plan::Plan;
use super::remaining::PlannedShard;
use super::work::PartWork;
use crate::decode::Warning;
use crate::error::PrepError;
use crate::io::flusher::Flusher;
use crate::record::{Outcome, RecycledBuffers};
use crate::reject::{RejectLine, WarningLine};
use crate::shards::{Record, ShardFile};

/// Writes records to shards, in plan order.
pub(super) struct IngestWriter<'a> {
    options: &'a IngestOptions,
    plan: &'a Plan,
    work: &'a mut PartWork,
    /// The shards to make.
    shards: std::slice::Iter<'a, PlannedShard>,
    open: Option<OpenShard>,
    /// Of the whole ingest, including earlier runs.
    rejects: Vec<RejectLine>,
    flusher: Flusher,
    recycled: RecycledBuffers,
}

/// A shard that is being written.
struct OpenShard {
    planned: PlannedShard,
    file: ShardFile,
    rejects: Vec<RejectLine>,
    warned: BTreeMap<String, u64>,
    warnings: Vec<WarningLine>,
    /// Images that are still to come.
    left: usize,
}

impl<'a> IngestWriter<'a> {
    pub(super) fn new(
        options: &'a IngestOptions,
        plan: &'a Plan,
        shards: &'a [PlannedShard],
        work: &'a mut PartWork,
        recycled: RecycledBuffers,
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

    /// Takes the outcome of the next image. The first image of a shard opens the shard, and the last one finishes it
    /// and adds it to the journal; an unfinished shard is removed.
    pub(super) fn take(&mut self, outcome: Outcome) -> Result<(), PrepError> {
        let mut shard = match self.open.take() {
            Some(shard) => shard,
            None => {
                let next = self.shards.next();
                self.begin(*next.expect("the shards have room for every image"))?
            }
        };
        match outcome {
            Outcome::Record { record, warning } => {
                shard.note(&record, warning);
                shard.file.append(&record, &self.flusher)?;
                self.recycled.give(record.stored);
            }
            Outcome::Reject(line) => {
                shard.rejects.push(line.clone());
                self.rejects.push(line);
                let images = self.work.header().manifest.source.images;
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

    fn begin(&self, planned: PlannedShard) -> Result<OpenShard, PrepError> {
        let split = self.plan.splits[planned.split].name;
        let name = shard_file_name(split, planned.shard, planned.shards);
        let record = self.options.record();
        let metadata = ShardMetadata {
            codec: record.codec,
            shape: record.shape(),
            split: split.to_owned(),
            shard: planned.shard as u64,
            shards: planned.shards as u64,
            classes: self.work.header().manifest.classes.len() as u64,
            fingerprint: self.plan.fingerprint.clone(),
            sums: ChannelSums::default(),
        };
        Ok(OpenShard {
            planned,
            file: self.work.create_shard(name, metadata)?,
            rejects: Vec::new(),
            warned: BTreeMap::new(),
            warnings: Vec::new(),
            left: planned.images,
        })
    }

    /// Finishes a shard; one whose images were all rejected leaves no file.
    fn close(&self, shard: OpenShard) -> Result<ShardLine, PrepError> {
        let sums = shard.file.sums().to_string();
        let entry = match shard.file.len() {
            0 => shard.file.discard().map(|()| None)?,
            _ => Some(shard.file.finish()?),
        };
        Ok(ShardLine {
            split: self.plan.splits[shard.planned.split].name.to_owned(),
            shard: shard.planned.shard,
            entry,
            sums,
            rejects: shard.rejects,
            warned: shard.warned,
            warnings: shard.warnings,
        })
    }
}

impl OpenShard {
    fn note(&mut self, record: &Record, warning: Option<Warning>) {
        if let Some(warning) = warning {
            *self.warned.entry(warning.code().to_owned()).or_default() += 1;
            self.warnings.push(WarningLine {
                key: record.key.clone(),
                warning: warning.code().into(),
            });
        }
    }
}
