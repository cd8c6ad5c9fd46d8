//! Detection of the layout of a source.

use std::fs;
use std::path::Path;

use super::archive::Packing;
use super::passed::PassedKind;
use super::tree::{Item, Tree};
use super::{Layout, exported, folders, kaggle, official, packed, parquet, split, webdataset};
use crate::error::PrepError;

impl Layout {
    /// Detects the layout of a source. `out` is the output folder, which is no part of the source
    /// where it is inside of it.
    ///
    /// # Errors
    /// A path that is not there, a file or folder of no known form; the error says what was expected.
    pub fn recognise(source: &Path, out: &Path) -> Result<Self, PrepError> {
        let data = fs::metadata(source).map_err(|_| PrepError::NotAFolder(source.to_owned()))?;
        if data.is_file() {
            let name = source.file_name().unwrap_or_default().to_string_lossy();
            let extension = source.extension().unwrap_or_default().to_string_lossy();
            return match extension.to_ascii_lowercase().as_str() {
                "csv" | "tsv" => Ok(Self::List),
                "parquet" => Ok(Self::Parquet),
                _ if Packing::of(&name).is_some() => Ok(Self::WebDataset),
                _ => Err(PrepError::NotAFolder(source.to_owned())),
            };
        }
        exported::refuse_unfinished(source)?;
        if official::is_here(source) {
            Ok(Self::Official)
        } else if kaggle::root(source).is_some() {
            Ok(Self::Kaggle)
        } else if !source.join("train").is_dir() && parquet::is_here(source)
            || packed::are_in_splits(source, parquet::fits)?
        {
            Ok(Self::Parquet)
        } else if packed::are_in_splits(source, webdataset::fits)? {
            Ok(Self::WebDataset)
        } else if has_class_folders(source, out)? {
            Ok(Self::ClassFolders)
        } else if !packed::files(source, webdataset::fits)?.is_empty() {
            Ok(Self::WebDataset)
        } else if folders::holds_images(source)? {
            Ok(Self::Unlabelled)
        } else {
            Err(PrepError::NoClasses(source.to_owned()))
        }
    }
}

/// Whether there are folders, and not only beside tars: those are the set then, unless a folder holds
/// images.
fn has_class_folders(source: &Path, out: &Path) -> Result<bool, PrepError> {
    let tree = Tree::new(source, out);
    let level = tree.level(source)?;
    if packed::files(source, webdataset::fits)?.is_empty() {
        return Ok(!level.folders.is_empty());
    }
    for folder in &level.folders {
        let inside = tree.level(&folder.path)?;
        let image = |file: &Item| PassedKind::by_name(&file.name).is_none();
        let classes = split::of_folder(&folder.name).is_some() && !inside.folders.is_empty();
        if classes || inside.files.iter().any(image) {
            return Ok(true);
        }
    }
    Ok(false)
}
