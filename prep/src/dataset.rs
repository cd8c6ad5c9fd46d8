//! A finished dataset, read with plain file reads.

use std::fs;
use std::path::{Path, PathBuf};

use shardmill_formats::{MANIFEST_FILE, Manifest};

use crate::error::PrepError;

/// Reads the manifest of the dataset in `folder`.
pub(crate) fn read_manifest(folder: &Path) -> Result<(PathBuf, Manifest), PrepError> {
    let path = folder.join(MANIFEST_FILE);
    let bytes = fs::read(&path).map_err(PrepError::io(&path))?;
    let manifest = Manifest::parse(&bytes).map_err(|source| PrepError::Manifest {
        path: path.clone(),
        source,
    })?;
    Ok((path, manifest))
}
