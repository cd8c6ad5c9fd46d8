//! The file that describes a dataset.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use shardmill_formats::{MANIFEST_FILE, Manifest};

use super::place;
use crate::error::LoaderError;

/// Reads the manifest of the dataset in `folder`, which may be an address of an object store, and no shard.
///
/// # Errors
/// A folder without a manifest, or a file that cannot be read, is too long, or is not a manifest.
pub fn read_manifest(folder: impl AsRef<Path>) -> Result<Manifest, LoaderError> {
    let folder = folder.as_ref();
    if let Some(remote) = place::remote(folder)? {
        return place::read_manifest(&remote);
    }
    let path = folder.join(MANIFEST_FILE);
    // Opening a FIFO would wait for a writer.
    let file = match fs::metadata(&path) {
        Ok(data) if !data.is_file() => return Err(LoaderError::NotADataset(folder.to_owned())),
        _ => File::open(&path),
    };
    let file = file.map_err(|source| match source.kind() {
        ErrorKind::NotFound => LoaderError::NotADataset(folder.to_owned()),
        _ => LoaderError::Io {
            path: path.clone(),
            source,
        },
    })?;
    Manifest::read(file).map_err(|source| LoaderError::Manifest { path, source })
}
