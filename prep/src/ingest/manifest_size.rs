//! Whether readers will accept the manifest that an ingest will write.

use std::path::Path;

use shardmill_formats::{Manifest, schema};

use crate::error::PrepError;

/// Bytes that a shard takes in a manifest, more than the longest entry: its file's name, two numbers, a
/// checksum of 8 and one of 64 digits, and their names.
const SHARD_ENTRY: usize = 400;

/// Bytes that statistics, the splits' own entries and the rejects take at most.
const REST: usize = 4096;

/// Refuses a manifest that readers would refuse, before anything is decoded. `shards` are planned.
pub(super) fn check(source: &Path, manifest: &Manifest, shards: usize) -> Result<(), PrepError> {
    let json = manifest.to_json();
    let shard_bytes = shards.saturating_mul(SHARD_ENTRY);
    let known = json.len().saturating_add(REST);
    let bytes = known.saturating_add(shard_bytes);
    if bytes > schema::MANIFEST_LIMIT {
        let (classes, limit) = (manifest.classes.len(), schema::MANIFEST_LIMIT >> 20);
        return Err(PrepError::Source {
            path: source.to_owned(),
            message: format!(
                "the manifest of {classes} classes and {shards} shards would take more than {limit} MiB, and \
                 no reader takes a larger one: shorten the names of classes, or make fewer shards with a \
                 larger --shard-records"
            ),
        });
    }
    Manifest::parse(json.as_bytes()).map_err(|error| PrepError::Manifest {
        path: source.to_owned(),
        source: error,
    })?;
    Ok(())
}
