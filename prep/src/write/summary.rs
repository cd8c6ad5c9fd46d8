//! The result of a writer.

use std::collections::BTreeMap;

use shardmill_formats::Manifest;

use crate::reject::{RejectLine, WarningLine, count_by_reason};

/// What a [`DatasetWriter`](crate::DatasetWriter) made.
#[derive(Clone, Debug)]
pub struct WriteSummary {
    /// The dataset's manifest, as written.
    pub manifest: Manifest,
    /// Every sample that became no record, with [`OnError::Reject`](crate::OnError::Reject).
    pub rejects: Vec<RejectLine>,
    /// Number of records with warnings, by [`Warning::code`](crate::decode::Warning::code).
    pub warned: BTreeMap<String, u64>,
    /// Each of these samples.
    pub warnings: Vec<WarningLine>,
    /// Notes on the dataset.
    pub notes: Vec<String>,
    /// Wall-clock time since the writer was made, in seconds.
    pub seconds: f64,
}

impl WriteSummary {
    /// The summary as one JSON object, with the names of an ingest's summary.
    #[must_use]
    pub fn to_json(&self) -> String {
        let splits = self.manifest.splits.iter();
        let records: BTreeMap<&String, u64> =
            splits.map(|(name, split)| (name, split.records)).collect();
        serde_json::json!({
            "images": self.manifest.source.images,
            "records": records,
            "classes": self.manifest.classes.len(),
            "codec": self.manifest.codec,
            "rejects": count_by_reason(&self.rejects),
            "warned": self.warned,
            "warnings": self.warnings,
            "notes": self.notes,
            "seconds": self.seconds,
        })
        .to_string()
    }
}
