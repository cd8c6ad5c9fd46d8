//! What an ingest did.

use std::collections::BTreeMap;

use shardmill_formats::Manifest;

use crate::reject::{RejectLine, WarningLine, count_by_reason};
use crate::source::PassedOver;

/// What an ingest did.
#[derive(Clone, Debug)]
pub struct IngestSummary {
    /// The dataset's manifest, as written.
    pub manifest: Manifest,
    /// Every image that became no record.
    pub rejects: Vec<RejectLine>,
    /// Number of records with warnings, by [`Warning::code`](crate::decode::Warning::code).
    pub warned: BTreeMap<String, u64>,
    /// Each of these images.
    pub warnings: Vec<WarningLine>,
    /// Files of the source that are neither records nor rejects.
    pub passed_over: PassedOver,
    /// Whether the dataset was complete before, so that nothing was done.
    pub was_complete: bool,
    /// Notes on how the source was read.
    pub notes: Vec<String>,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
}

impl IngestSummary {
    /// Images that were read, rejects included.
    #[must_use]
    pub const fn images(&self) -> u64 {
        self.manifest.source.images
    }

    /// Images a second.
    #[must_use]
    pub fn images_per_second(&self) -> f64 {
        self.images() as f64 / self.seconds
    }

    /// Number of rejects for each reason.
    #[must_use]
    pub fn rejects_by_reason(&self) -> BTreeMap<&str, u64> {
        count_by_reason(&self.rejects)
    }

    /// The summary as one JSON object: what `prep ingest --json` prints.
    #[must_use]
    pub fn to_json(&self) -> String {
        let splits = self.manifest.splits.iter();
        let splits: BTreeMap<&String, u64> =
            splits.map(|(name, split)| (name, split.records)).collect();
        let object = serde_json::json!({
            "images": self.images(),
            "records": splits,
            "classes": self.manifest.classes.len(),
            "codec": self.manifest.codec,
            "rejects": self.rejects_by_reason(),
            "warned": self.warned,
            "warnings": self.warnings,
            "passed_over": self.passed_over,
            "was_complete": self.was_complete,
            "notes": self.notes,
            "seconds": self.seconds,
            "images_per_second": (!self.was_complete).then(|| self.images_per_second()),
        });
        object.to_string()
    }
}

/// The result of [`ingest_part`](crate::ingest::ingest_part).
#[derive(Clone, Debug)]
pub enum Ingested {
    /// The dataset is complete.
    Dataset(Box<IngestSummary>),
    /// The part is complete; [`merge`](crate::ingest::merge) completes the dataset when all parts are.
    Part {
        /// Shards of this part.
        shards: usize,
        /// Every image of this part that became no record.
        rejects: Vec<RejectLine>,
        /// As [`IngestSummary::warned`], of this part.
        warned: BTreeMap<String, u64>,
        /// As [`IngestSummary::warnings`], of this part.
        warnings: Vec<WarningLine>,
        /// Files of the whole source that are neither records nor rejects.
        passed_over: PassedOver,
        /// Notes on how the source was read.
        notes: Vec<String>,
        /// Wall-clock time, in seconds.
        seconds: f64,
    },
}

impl Ingested {
    /// Number of rejects for each reason, of the part if it is one.
    #[must_use]
    pub fn rejects_by_reason(&self) -> BTreeMap<&str, u64> {
        match self {
            Self::Dataset(summary) => summary.rejects_by_reason(),
            Self::Part { rejects, .. } => count_by_reason(rejects),
        }
    }
}
