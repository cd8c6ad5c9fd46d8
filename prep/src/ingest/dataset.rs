//! A dataset as its finished shards make it: the manifest, and the list of rejects.

use std::collections::BTreeMap;
use std::path::Path;

use shardmill_formats::{ChannelSums, Manifest, Rejects, ShardEntry, Split};

use super::journal::{IngestHeader, ShardLine};
use super::summary::IngestSummary;
use crate::error::PrepError;
use crate::reject::{RejectLine, WarningLine, first_ones};
use crate::shards::{REJECTS_FILE, TRAIN, manifest_json, statistics};
use crate::source::PassedOver;

/// What [`merge`](crate::ingest::merge) did.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The dataset's manifest.
    pub manifest: Manifest,
    /// Number of records with warnings, by [`Warning::code`](crate::decode::Warning::code); empty if nothing was
    /// done.
    pub warned: BTreeMap<String, u64>,
    /// Each of these images.
    pub warnings: Vec<WarningLine>,
    /// Whether the dataset was complete before, so that nothing was done.
    pub was_complete: bool,
}

/// A dataset that was completed.
pub(super) struct Written {
    pub(super) manifest: Manifest,
    pub(super) rejects: Vec<RejectLine>,
    pub(super) warned: BTreeMap<String, u64>,
    pub(super) warnings: Vec<WarningLine>,
}

impl Written {
    /// What an ingest that made it says of itself.
    pub(super) fn summary(
        self,
        passed_over: PassedOver,
        notes: Vec<String>,
        seconds: f64,
    ) -> IngestSummary {
        IngestSummary {
            manifest: self.manifest,
            rejects: self.rejects,
            warned: self.warned,
            warnings: self.warnings,
            passed_over,
            was_complete: false,
            notes,
            seconds,
        }
    }
}

/// A dataset that is about to be completed.
pub(super) struct Dataset {
    pub(super) written: Written,
}

impl Dataset {
    /// The dataset of these finished shards; `folder` is for messages.
    ///
    /// # Errors
    /// No shard has a record, or a line's sums are damaged.
    pub(super) fn new(
        folder: impl AsRef<Path>,
        header: &IngestHeader,
        mut lines: Vec<ShardLine>,
    ) -> Result<Self, PrepError> {
        lines.sort_by(|a, b| (&a.split, a.shard).cmp(&(&b.split, b.shard)));
        let rejects: Vec<RejectLine> = lines.iter().flat_map(|line| line.rejects.clone()).collect();
        let warned = warned(&lines);
        let warnings = warnings(&lines);
        let labelled = |split: &str| !header.unlabelled.contains(split);
        let (mut splits, mut sums) = (BTreeMap::new(), ChannelSums::default());
        for line in &lines {
            let Some(entry) = &line.entry else { continue };
            let split = splits.entry(line.split.clone()).or_insert_with(|| Split {
                records: 0,
                labelled: labelled(&line.split),
                shards: Vec::<ShardEntry>::new(),
            });
            split.records += entry.records;
            split.shards.push(entry.clone());
            if line.split == TRAIN {
                let of_shard = line.sums.parse().map_err(|_| PrepError::Parts {
                    folder: folder.as_ref().to_owned(),
                    message: format!("the journal's sums of {} are damaged", entry.file),
                })?;
                sums.merge(&of_shard);
            }
        }
        let mut manifest = header.manifest.clone();
        if splits.is_empty() {
            return Err(PrepError::AllRejected {
                images: manifest.source.images,
                rejects: first_ones(&rejects),
            });
        }
        manifest.splits = splits;
        manifest.statistics = statistics(&sums);
        manifest.rejects = Rejects {
            count: rejects.len() as u64,
            file: (!rejects.is_empty()).then(|| REJECTS_FILE.to_owned()),
        };
        Ok(Self {
            written: Written {
                manifest,
                rejects,
                warned,
                warnings,
            },
        })
    }

    /// The list of rejects, if there are any.
    pub(super) fn rejects_file(&self) -> Option<Vec<u8>> {
        let lines = self.written.rejects.iter();
        let lines =
            lines.map(|line| serde_json::to_string(line).expect("a line becomes JSON") + "\n");
        let text: String = lines.collect();
        (!text.is_empty()).then(|| text.into_bytes())
    }

    /// The text of the manifest for `path`, unless readers would refuse it.
    pub(super) fn manifest_json(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, PrepError> {
        manifest_json(path.as_ref(), &self.written.manifest).map(String::into_bytes)
    }
}

/// The warnings of shards, added up.
pub(super) fn warned(lines: &[ShardLine]) -> BTreeMap<String, u64> {
    let mut warned = BTreeMap::new();
    for (warning, count) in lines.iter().flat_map(|line| &line.warned) {
        *warned.entry(warning.clone()).or_default() += count;
    }
    warned
}

/// The warnings of shards, one for each image.
pub(super) fn warnings(lines: &[ShardLine]) -> Vec<WarningLine> {
    lines
        .iter()
        .flat_map(|line| line.warnings.clone())
        .collect()
}
