//! The journal of an ingest: what is being made, and which shards are finished.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use shardmill_formats::{Manifest, ShardEntry};

use crate::decode::{Exif, Truncated};
use crate::error::PrepError;
use crate::io::{self, Choices, JournalHeader, OutputFolder};
use crate::part::Part;
use crate::reject::{RejectLine, WarningLine};

/// A journal's first line: what is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct IngestHeader {
    /// Identifies everything that the bytes of the shards depend on.
    pub(super) fingerprint: String,
    pub(super) part: Part,
    /// Number of planned shards of each split.
    pub(super) shards: BTreeMap<String, usize>,
    /// Splits without labels.
    pub(super) unlabelled: BTreeSet<String>,
    /// The manifest without splits, statistics and rejects.
    pub(super) manifest: Manifest,
    /// Options that the manifest does not contain.
    #[serde(default, skip_serializing_if = "Choices::is_empty")]
    pub(super) choices: Choices,
}

/// Another line: a finished shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ShardLine {
    pub(super) split: String,
    pub(super) shard: usize,
    /// `None` if all of its images were rejected, so that there is no file.
    pub(super) entry: Option<ShardEntry>,
    /// Sums over its pixels, as the shard's own metadata has them.
    pub(super) sums: String,
    pub(super) rejects: Vec<RejectLine>,
    /// Number of its records with warnings, by the warning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) warned: BTreeMap<String, u64>,
    /// Each of these images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<WarningLine>,
}

/// The journal of a part.
pub(super) type Journal = io::Journal<IngestHeader, ShardLine>;
/// The output folder with the journal of a part.
pub(super) type PartFolder = OutputFolder<IngestHeader, ShardLine>;

impl JournalHeader for IngestHeader {
    fn differs(&self, theirs: &Self) -> Option<String> {
        let (ours, before) = (choices(&self.manifest), choices(&theirs.manifest));
        if self.fingerprint != theirs.fingerprint {
            let changed = [(&ours, &before), (&self.choices, &theirs.choices)];
            let changed = changed.map(|(ours, theirs)| ours.changed_from(theirs));
            let changed: Vec<String> = changed.into_iter().flatten().collect();
            return Some(match changed.is_empty() {
                true => "it has other images or labels, or another --without or --val-fraction"
                    .to_owned(),
                false => changed.join(", "),
            });
        }
        (self.part.parts != theirs.part.parts).then(|| {
            let (was, is) = (theirs.part.parts, self.part.parts);
            format!("--part was one of {was} and is one of {is}")
        })
    }
}

/// The options that a manifest contains, as on the command line.
pub(super) fn choices(manifest: &Manifest) -> Choices {
    let made = &manifest.preprocessing;
    let size = match manifest.height == manifest.width {
        true => manifest.height.to_string(),
        false => format!("{}x{}", manifest.height, manifest.width),
    };
    let resize = made.geometry.trim_end_matches("-center-crop");
    let filter = made.filter.trim_end_matches("-antialiased");
    let or =
        |value: &Option<String>, default: &str| value.clone().unwrap_or_else(|| default.to_owned());
    Choices::of_codec(manifest)
        .with("--size", size)
        .with("--resize", resize)
        .with("--filter", filter)
        .with("--exif", or(&made.exif, Exif::default().name()))
        .with(
            "--truncated",
            or(&made.truncated, Truncated::default().name()),
        )
        .with("--seed", manifest.seed)
        .with("the decoder", &made.decoder)
        .with("the resizer", &made.resizer)
        .with("the version of prep", &manifest.prep_version)
}

/// Whether `lines` name a shard.
pub(super) fn is_done(lines: &[ShardLine], split: &str, shard: usize) -> bool {
    lines
        .iter()
        .any(|line| line.shard == shard && line.split == split)
}

/// Checks that every part is there and names all of its shards. `journals` are those in `folder`, each with its
/// lines.
pub(super) fn check_whole(
    folder: &Path,
    header: &IngestHeader,
    journals: &[(&IngestHeader, &[ShardLine])],
) -> Result<(), PrepError> {
    let parts = |message: String| PrepError::Parts {
        folder: folder.to_owned(),
        message,
    };
    let here: BTreeSet<usize> = journals
        .iter()
        .map(|(header, _)| header.part.index)
        .collect();
    let all = header.part.parts;
    let missing: Vec<String> = (0..all)
        .filter(|index| !here.contains(index))
        .map(|index| format!("{index}/{all}"))
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "parts {} were never begun: make them first",
            missing.join(", ")
        );
        return Err(parts(message));
    }
    let mut number = 0;
    for (split, count) in &header.shards {
        for shard in 0..*count {
            let owner = journals
                .iter()
                .find(|(header, _)| header.part.takes(number));
            if !owner.is_some_and(|(_, lines)| is_done(lines, split, shard)) {
                let message = format!(
                    "part {}/{all} has not finished: shard {shard} of {split} is missing; run it \
                     again with the same arguments",
                    number % all
                );
                return Err(parts(message));
            }
            number += 1;
        }
    }
    Ok(())
}
