//! Splits that are folders: which they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::passed::PassedKind;
use super::split;
use super::tree::{Item, Level, Tree};
use crate::error::PrepError;

/// Order in which splits are read: labels come from training.
pub(super) const ORDER: [&str; 3] = ["train", "val", "test"];

/// What the one folder between a split and its images may be called.
pub(super) const BETWEEN: [&str; 5] = ["images", "image", "imgs", "img", "jpegimages"];

/// The folders of splits, and the other ones.
#[derive(Debug, Default)]
pub(super) struct Splits {
    pub(super) folders: BTreeMap<&'static str, Item>,
    pub(super) others: Vec<Item>,
}

/// The folders that are named like splits. A folder is a split if it has such a name as a whole, or, where
/// none is, if a word of its name says so.
pub(super) fn named(tree: &Tree<'_>, level: &Level) -> Result<Splits, PrepError> {
    let (mut found, mut twice) = (Splits::default(), None);
    let whole = |item: &Item| split::of_word(&item.name);
    for item in &level.folders {
        if let Some(split) = whole(item)
            && let Some(other) = found.folders.insert(split, item.clone())
        {
            twice = Some((split, other, item.clone()));
        }
    }
    let exact: BTreeSet<&str> = found.folders.keys().copied().collect();
    for item in level.folders.iter().filter(|item| whole(item).is_none()) {
        match split::of_folder(&item.name) {
            Some(split) if !exact.contains(split) => {
                if let Some(other) = found.folders.insert(split, item.clone()) {
                    twice = Some((split, other, item.clone()));
                }
            }
            _ => found.others.push(item.clone()),
        }
    }
    if let Some((split, one, other)) = twice {
        return Err(PrepError::Source {
            path: tree.source.to_owned(),
            message: format!(
                "the folders {:?} and {:?} are both the split {split}: move one away, or put the images \
                 of both into one",
                one.name, other.name
            ),
        });
    }
    let lost = level.aside.iter().find(|(kind, path)| {
        let name = super::text::from_os(path.file_name().unwrap_or_default());
        *kind == PassedKind::Dangling && split::of_word(&name).is_some()
    });
    if let Some((_, path)) = lost {
        return Err(PrepError::Source {
            path: path.clone(),
            message: "it is a link that leads nowhere: mend or remove it".to_owned(),
        });
    }
    Ok(found)
}

/// The splits of a folder, if it has any: if a folder that is named like one holds folders, or if all
/// folders are named like one. So a class `train` among others stays a class.
pub(super) fn find(tree: &Tree<'_>, level: &Level) -> Result<Option<Splits>, PrepError> {
    let like = |item: &Item| split::of_folder(&item.name).is_some();
    let mut nested = false;
    for item in level.folders.iter().filter(|item| like(item)) {
        nested |= !tree.level(&item.path)?.folders.is_empty();
    }
    let all = !level.folders.is_empty() && level.folders.iter().all(like);
    if nested || all {
        return named(tree, level).map(Some);
    }
    Ok(None)
}

/// Paths of folders.
pub(super) fn paths<'a>(folders: impl IntoIterator<Item = &'a Item>) -> BTreeSet<PathBuf> {
    folders.into_iter().map(|item| item.path.clone()).collect()
}
