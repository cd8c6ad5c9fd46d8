//! Whether a source is the image set itself, or a folder above it.

use std::path::{Path, PathBuf};

use super::passed::PassedKind;
use super::tree::{Item, Level, Tree};
use super::{kaggle, official, packed, parquet, splits, webdataset};
use crate::error::PrepError;

/// Folders that are looked through for the set below them.
const DEPTH: u32 = 4;
/// Class folders that are looked into.
const MOST: usize = 2000;

/// Refuses class folders that are none: one folder of images beside tables that name them, or folders
/// that hold only folders.
pub(super) fn check(tree: &Tree<'_>, level: &Level) -> Result<(), PrepError> {
    if let [only] = &*level.folders {
        let what = format!("{:?} is its only folder", only.name);
        check_tables(tree, level, &what)?;
    }
    let mut nested = Vec::new();
    for item in level.folders.iter().take(MOST) {
        let inside = tree.level(&item.path)?;
        if inside
            .files
            .iter()
            .any(|file| PassedKind::by_name(&file.name).is_none())
        {
            return Ok(());
        }
        if !inside.folders.is_empty() {
            nested.push(item);
        }
    }
    let mut seems = Vec::new();
    for item in level.folders.iter().take(MOST) {
        seems.extend(set_in(tree, item, DEPTH)?);
    }
    if seems.is_empty() && nested.is_empty() {
        return Ok(());
    }
    let found = match &*seems {
        [] if nested.len() == 1 => format!("the set seems to be in {}", nested[0].path.display()),
        [] => format!(
            "none of its {} folders holds an image itself",
            level.folders.len()
        ),
        seems => {
            let shown = seems.iter().take(3).map(|path| path.display().to_string());
            format!(
                "the set seems to be in {}",
                shown.collect::<Vec<_>>().join(" or ")
            )
        }
    };
    Err(PrepError::Source {
        path: tree.source.to_owned(),
        message: format!(
            "{found}: give that folder; or, if the folders here really are classes, add --layout \
             class-folders"
        ),
    })
}

/// Refuses images that tables beside them seem to name.
pub(super) fn check_tables(tree: &Tree<'_>, level: &Level, what: &str) -> Result<(), PrepError> {
    let is_table = |item: &&Item| {
        let name = item.name.to_ascii_lowercase();
        name.ends_with(".csv") || name.ends_with(".tsv")
    };
    let tables: Vec<&str> = level
        .files
        .iter()
        .filter(is_table)
        .map(|file| &*file.name)
        .collect();
    let Some(first) = tables.first() else {
        return Ok(());
    };
    Err(PrepError::Source {
        path: tree.source.to_owned(),
        message: format!(
            "{what}, and the tables {} lie beside: give a table as SRC ({}), or name the layout with \
             --layout class-folders or --layout unlabelled to go on without them",
            tables.join(", "),
            tree.source.join(first).display()
        ),
    })
}

/// Where a folder, or the one folder in it, holds something that is known.
fn set_in(tree: &Tree<'_>, item: &Item, depth: u32) -> Result<Option<PathBuf>, PrepError> {
    let path: &Path = &item.path;
    let level = tree.level(path)?;
    let known = official::is_here(path)
        || kaggle::root(path).is_some()
        || splits::find(tree, &level)?.is_some()
        || parquet::is_here(path)
        || packed::are_in_splits(path, parquet::fits)?
        || packed::are_in_splits(path, webdataset::fits)?
        || !packed::files(path, webdataset::fits)?.is_empty();
    if known {
        return Ok(Some(path.to_owned()));
    }
    match &*level.folders {
        [only] if depth > 0 => set_in(tree, only, depth - 1),
        _ => Ok(None),
    }
}
