//! What a dataset consists of, for a person.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use shardmill_formats::{Manifest, Printable};

use crate::error::PrepError;
use crate::io::Place;
use crate::shards::{Shard, each_shard, read_manifest};

/// A dataset's contents at a glance; `Display` gives a table.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The manifest.
    pub manifest: Manifest,
    /// For each split: its name and the number of records of each class.
    pub class_counts: Vec<(String, Vec<u64>)>,
}

/// Records of the batch whose number of classes is printed.
const BATCH: u64 = 128;

impl Inspection {
    /// Classes that a batch of `batch` records of a split, drawn without order, holds on average; `None` if there
    /// is no such split.
    #[must_use]
    pub fn classes_in_batch(&self, split: &str, batch: u64) -> Option<f64> {
        let (_, counts) = self.class_counts.iter().find(|(name, _)| name == split)?;
        Some(expected_distinct(counts, batch))
    }

    /// Everything that `Display` tells as one JSON object, which is what `prep inspect --json` prints: `manifest`,
    /// `class_counts` (split and counts), and `classes_in_batch_of_128` by split.
    ///
    /// # Panics
    /// Never: numbers and strings become JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Json<'a> {
            #[serde(flatten)]
            inspection: &'a Inspection,
            classes_in_batch_of_128: BTreeMap<&'a str, f64>,
        }
        let counts = self.class_counts.iter();
        let json = Json {
            inspection: self,
            classes_in_batch_of_128: counts
                .map(|(name, counts)| (name.as_str(), expected_distinct(counts, BATCH)))
                .collect(),
        };
        serde_json::to_string(&json).expect("numbers and strings become JSON")
    }
}

/// Reads the manifest and the labels of the dataset in `folder`, or at an address such as `s3://bucket/dataset`. Of a
/// shard, only what is around its records is read, and compared with its checksum.
///
/// # Errors
/// A manifest or shard that cannot be read or does not agree with the other.
pub fn inspect(folder: &Path) -> Result<Inspection, PrepError> {
    let place = Place::new(folder)?;
    let (_, manifest) = read_manifest(&place)?;
    let names = manifest.splits.keys();
    let mut class_counts: Vec<_> = names
        .map(|name| (name.clone(), vec![0; manifest.classes.len()]))
        .collect();
    let labels = |shard: &Shard| (0..shard.len()).map(|i| shard.label(i)).collect();
    each_shard(
        &place,
        &manifest,
        |_, shard| Ok(labels(shard)),
        |split, labels: Vec<i64>| {
            let counts = &mut class_counts[split].1;
            for label in labels {
                let label = usize::try_from(label).ok();
                if let Some(count) = label.and_then(|label| counts.get_mut(label)) {
                    *count += 1;
                }
            }
            Ok(())
        },
    )?;
    Ok(Inspection {
        manifest,
        class_counts,
    })
}

/// Classes that a batch of `batch` records, drawn without order from `counts`, holds on average.
fn expected_distinct(counts: &[u64], batch: u64) -> f64 {
    let total: u64 = counts.iter().sum();
    let absent = |count: u64| {
        (0..batch.min(total))
            .map(|i| 1.0 - count as f64 / (total - i) as f64)
            .map(|p| p.max(0.0))
            .product::<f64>()
    };
    counts.iter().map(|&count| 1.0 - absent(count)).sum()
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manifest = &self.manifest;
        let quality = manifest
            .jpeg_quality
            .map(|q| format!(", quality {q}"))
            .unwrap_or_default();
        writeln!(
            f,
            "format   {} {}, written by prep {}",
            Printable(&manifest.format),
            Printable(&manifest.version),
            Printable(&manifest.prep_version)
        )?;
        writeln!(
            f,
            "records  {}x{} RGB, codec {}{quality}",
            manifest.height, manifest.width, manifest.codec
        )?;
        writeln!(
            f,
            "made by  {}; {}",
            Printable(&manifest.preprocessing.decoder),
            Printable(&manifest.preprocessing.resizer)
        )?;
        writeln!(
            f,
            "resize   {}, {}",
            Printable(&manifest.preprocessing.geometry),
            Printable(&manifest.preprocessing.filter)
        )?;
        writeln!(f, "classes  {}", manifest.classes.len())?;
        writeln!(
            f,
            "source   {}, {} images, {} rejects",
            Printable(&manifest.source.layout),
            manifest.source.images,
            manifest.rejects.count
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "{:<8} {:>9} {:>7} {:>10} {:>12}  smallest and largest class",
            "split", "records", "shards", "MB", "bytes/record"
        )?;
        for (name, counts) in &self.class_counts {
            let split = &manifest.splits[name];
            let bytes: u64 = split.shards.iter().map(|shard| shard.bytes).sum();
            let (megabytes, each) = (
                bytes as f64 / 1e6,
                bytes as f64 / split.records.max(1) as f64,
            );
            write!(
                f,
                "{name:<8} {:>9} {:>7} {megabytes:>10.1} {each:>12.0}",
                split.records,
                split.shards.len()
            )?;
            let by_size = |&i: &usize| counts[i];
            let ends = [
                (0..counts.len()).min_by_key(by_size),
                (0..counts.len()).max_by_key(by_size),
            ];
            let words = ends
                .into_iter()
                .flatten()
                .map(|i| format!("{} ({})", Printable(&manifest.classes[i].name), counts[i]));
            writeln!(f, "  {}", words.collect::<Vec<_>>().join(", "))?;
            writeln!(
                f,
                "{:<8} a batch of {BATCH} holds {:.1} classes on average",
                "",
                expected_distinct(counts, BATCH)
            )?;
        }
        if let Some(entry) = &manifest.statistics {
            let s = &entry.statistics;
            let triple = |values: [f64; 3]| values.map(|v| format!("{v:9.4}")).join(" ");
            writeln!(f)?;
            writeln!(
                f,
                "colour over {:<12}        R         G         B",
                entry.split
            )?;
            writeln!(f, "mean                   {}", triple(s.mean))?;
            writeln!(f, "standard deviation     {}", triple(s.std))?;
            for (value, vector) in s.eigenvalues.iter().zip(s.eigenvectors) {
                writeln!(f, "axis, spread {:>9.4} {}", value.sqrt(), triple(vector))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_classes_of_a_batch() {
        assert!((expected_distinct(&[5, 5], 1) - 1.0).abs() < 1e-12);
        assert!((expected_distinct(&[1, 1, 1], 2) - 2.0).abs() < 1e-12);
        assert!((expected_distinct(&[5, 5], 10) - 2.0).abs() < 1e-12);
        assert!((expected_distinct(&[2, 2], 2) - (2.0 - 2.0 / 6.0)).abs() < 1e-12);
    }
}
