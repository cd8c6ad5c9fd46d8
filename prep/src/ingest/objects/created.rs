//! Objects that are created only where none is, and compared with the one that is.

use std::path::Path;

use shardmill_formats::ShardEntry;
use shardmill_store::Created;

use crate::error::PrepError;
use crate::io::objects::Store;
use crate::shards::object::check_index;

/// Creates a small object. One that is there already must have the same bytes: an earlier run, or an attempt whose
/// answer was lost, made it. `is_there` says that it is known to be.
pub(super) fn small(
    store: &Store,
    name: &str,
    bytes: Vec<u8>,
    is_there: bool,
) -> Result<Created, PrepError> {
    // A server that ignores the condition replaces what is there.
    if !is_there {
        let created = store.create_bytes(name, bytes.clone());
        if created.map_err(PrepError::Store)? == Created::New {
            return Ok(Created::New);
        }
    }
    let limit = bytes.len() as u64;
    let found = store.read(name, limit).map_err(PrepError::Store)?;
    match found == bytes {
        true => Ok(Created::Existed),
        false => Err(differs(store, name, "was not made by this ingest")),
    }
}

/// Creates the object of a shard from its file. One that is there already must have its size and its index, which
/// holds the checksum of every record.
pub(super) fn shard(
    store: &Store,
    entry: &ShardEntry,
    file: &Path,
    is_there: bool,
) -> Result<(), PrepError> {
    if !is_there {
        let created = store.create(&entry.file, file);
        if created.map_err(PrepError::Store)? == Created::New {
            return Ok(());
        }
    }
    match check_index(store, entry) {
        Ok(()) => Ok(()),
        Err(PrepError::Contradiction { .. } | PrepError::Shard { .. }) => {
            let what = "holds other records than this ingest made of the same names and labels: images have changed, \
                        or something else made it";
            Err(differs(store, &entry.file, what))
        }
        Err(error) => Err(error),
    }
}

fn differs(store: &Store, name: &str, what: &str) -> PrepError {
    PrepError::Source {
        path: store.address_of(name).into(),
        message: format!(
            "it exists already and {what}; it is left unchanged: delete it and run the same command again, or choose \
             another --out"
        ),
    }
}
