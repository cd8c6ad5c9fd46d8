//! Where the files of a packed source are: in its folder, or in folders that are named for the splits.

use std::fs;
use std::path::{Path, PathBuf};

use super::is_clutter;
use super::split;
use crate::error::PrepError;

/// Names of the folders of splits.
const FOLDERS: [&str; 6] = ["train", "training", "val", "valid", "validation", "test"];

/// A packed file of a source.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) path: PathBuf,
    /// The split that its folder, or else its name says.
    pub(super) split: Option<&'static str>,
}

/// The files whose names `fit`, sorted: the source itself if it is one, else those in the folder and in its
/// folders of splits.
pub(super) fn files(source: &Path, fit: fn(&str) -> bool) -> Result<Vec<Packed>, PrepError> {
    if source.is_file() {
        return Ok(vec![named(source.to_owned())]);
    }
    let (files, _) = look(source, fit)?;
    let mut found: Vec<Packed> = files.into_iter().map(named).collect();
    for folder in FOLDERS {
        let split = split::of_word(folder);
        let (files, folders) = look_if_there(source, folder, fit)?;
        // With folders in it, it is one of classes.
        if !folders {
            found.extend(files.into_iter().map(|path| Packed { path, split }));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Whether such files are in folders of splits, none of which has folders of classes in it.
pub(super) fn are_in_splits(source: &Path, fit: fn(&str) -> bool) -> Result<bool, PrepError> {
    let mut any = false;
    for folder in FOLDERS {
        let (files, folders) = look_if_there(source, folder, fit)?;
        if folders {
            return Ok(false);
        }
        any |= !files.is_empty();
    }
    Ok(any)
}

fn named(path: PathBuf) -> Packed {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let split = split::of_name(&name);
    Packed { path, split }
}

/// [`look`] into a folder of a split, if there is one.
fn look_if_there(
    source: &Path,
    folder: &str,
    fit: fn(&str) -> bool,
) -> Result<(Vec<PathBuf>, bool), PrepError> {
    let folder = source.join(folder);
    if !folder.is_dir() {
        return Ok((Vec::new(), false));
    }
    look(&folder, fit)
}

/// The files in a folder whose names `fit`, and whether there are folders in it.
fn look(folder: &Path, fit: fn(&str) -> bool) -> Result<(Vec<PathBuf>, bool), PrepError> {
    let (mut files, mut folders) = (Vec::new(), false);
    for entry in fs::read_dir(folder).map_err(PrepError::io(folder))? {
        let path = entry.map_err(PrepError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_clutter(&name) {
            continue;
        }
        if path.is_dir() {
            folders = true;
        } else if fit(&name) && path.is_file() {
            files.push(path);
        }
    }
    Ok((files, folders))
}
