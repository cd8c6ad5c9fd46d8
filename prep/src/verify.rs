//! Rereads every byte of a dataset and compares it with its checksums.

use std::fs;
use std::path::Path;

use serde::Serialize;
use shardmill_formats::{Decoder, Manifest, ShardEntry, ShardIndex};

use crate::crew::Crew;
use crate::dataset::read_manifest;
use crate::error::PrepError;
use crate::progress::Progress;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// File name of the shard.
    pub shard: String,
    /// 0-based record in the shard, if the fault is in one.
    pub record: Option<usize>,
    /// The record's key.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// What was reread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Number of shards.
    pub shards: u64,
    /// Number of records compared.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Everything that is wrong, in the order of shards and records.
    pub faults: Vec<Fault>,
}

/// Rereads every record of the dataset in `folder` against its checksum, decodes it, and compares
/// each shard with the manifest. Uses `threads` threads, one for each core if 0; each holds one
/// shard in memory.
///
/// # Errors
/// A folder without a readable manifest. Faults in shards are part of the result.
pub fn verify(folder: &Path, threads: usize, show: bool) -> Result<Verification, PrepError> {
    let (_, manifest) = read_manifest(folder)?;
    let splits = manifest.splits.iter();
    let shards: Vec<(&str, &ShardEntry)> = splits
        .flat_map(|(name, split)| split.shards.iter().map(move |shard| (name.as_str(), shard)))
        .collect();
    let records = shards.iter().map(|(_, shard)| shard.records).sum();
    let progress = Progress::new("verify", records, show);
    let mut total = Verification::default();
    Crew::new(threads).in_order(
        &shards,
        || Ok(()),
        |(), (split, entry)| {
            let part = check_shard(folder, &manifest, split, entry);
            progress.add(entry.records);
            Ok(part)
        },
        |part| {
            total.shards += part.shards;
            total.records += part.records;
            total.bytes += part.bytes;
            total.faults.extend(part.faults);
            Ok(())
        },
    )?;
    progress.finish();
    Ok(total)
}

fn check_shard(
    folder: &Path,
    manifest: &Manifest,
    split: &str,
    entry: &ShardEntry,
) -> Verification {
    let mut result = Verification {
        shards: 1,
        ..Verification::default()
    };
    let fault = |record, key, message: String| Fault {
        shard: entry.file.clone(),
        record,
        key,
        message,
    };
    let file = match fs::read(folder.join(&entry.file)) {
        Ok(file) => file,
        Err(error) => {
            result
                .faults
                .push(fault(None, None, format!("cannot be read: {error}")));
            return result;
        }
    };
    result.bytes = file.len() as u64;
    let whole = |expected: String, found: String, what: &str| {
        (expected != found).then(|| {
            fault(
                None,
                None,
                format!("{what} is {found}; the manifest says {expected}"),
            )
        })
    };
    result.faults.extend(whole(
        entry.bytes.to_string(),
        file.len().to_string(),
        "its size in bytes",
    ));
    result.faults.extend(whole(
        entry.blake3.clone(),
        blake3::hash(&file).to_hex().to_string(),
        "its BLAKE3 hash",
    ));
    let index = match ShardIndex::parse(&file) {
        Ok(index) => index,
        Err(error) => {
            result.faults.push(fault(None, None, error.to_string()));
            return result;
        }
    };
    result.faults.extend(
        index
            .verify_index(&file, entry.index_checksum())
            .err()
            .map(|e| fault(None, None, e.to_string())),
    );
    for other in manifest.mismatches(split, entry, &index, entry.bytes) {
        let what = format!("its {}", other.what);
        let fault = whole(other.expected, other.found, &what);
        result.faults.extend(fault);
    }
    let mut decoder = Decoder::new(index.codec(), index.shape());
    let mut rgb = vec![0; index.shape().bytes()];
    for i in 0..index.len() {
        result.records += 1;
        let key = || Some(index.key(&file, i).to_owned());
        if let Err(error) = index.verify_record(&file, i) {
            result.faults.push(fault(Some(i), key(), error.to_string()));
        } else if let Err(error) = decoder.decode(index.record(&file, i), &mut rgb) {
            result.faults.push(fault(Some(i), key(), error.to_string()));
        }
    }
    result
}
