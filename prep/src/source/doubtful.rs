//! Folders that may or may not be classes: the user is asked what the names do not show.

use std::path::Path;

use super::about::ABOUT_FILE;
use super::passed::PassedKind;
use super::splits::{BETWEEN, Splits};
use super::tree::{Item, Tree};
use super::{is_image_name, split, text};
use crate::error::PrepError;

/// Names of folders with annotations of images, in lower case.
const LABELS: [&str; 8] = [
    "labels",
    "label",
    "annotations",
    "annotation",
    "anns",
    "bboxes",
    "masks",
    "mask",
];
/// Most folders that are named.
const SHOWN: usize = 5;

/// A single folder that is named like a split, beside folders with images.
pub(super) struct Beside {
    /// The folder.
    name: String,
    /// The others.
    others: Vec<String>,
    /// Whether it could also be a class.
    pub(super) is_doubtful: bool,
}

impl Beside {
    /// Looks at what is beside the only split of a folder; `None` if no images are there, or there are more splits.
    /// The folder may be a class if a split is only a word of its name, or if images are beside its folders.
    pub(super) fn look(tree: &Tree<'_>, splits: &Splits) -> Result<Option<Self>, PrepError> {
        let mut folders = splits.folders.values();
        let (Some(only), None) = (folders.next(), folders.next()) else {
            return Ok(None);
        };
        let others = splits.others.iter();
        let others: Vec<String> = others
            .filter(|item| tree.holds(&item.path, is_image_name))
            .map(|item| item.name.clone())
            .collect();
        if others.is_empty() {
            return Ok(None);
        }
        let inside = tree.level(&only.path)?;
        let loose = inside.files.iter().any(|file| is_image_name(&file.path));
        Ok(Some(Self {
            is_doubtful: loose || split::of_word(&only.name).is_none(),
            name: only.name.clone(),
            others,
        }))
    }

    /// Asks which of both it is.
    pub(super) fn error(&self, source: &Path) -> PrepError {
        PrepError::Source {
            path: source.to_owned(),
            message: format!(
                "{:?} is called like a split and holds folders, but {} beside it hold images too: if all of \
                 them are classes, add --layout class-folders; if it is a split, move the others away",
                self.name,
                names(&self.others)
            ),
        }
    }

    /// Says what is not used.
    pub(super) fn note(&self) -> String {
        format!(
            "{name} is taken for a split, and the images in {} beside it are passed over: if {name} is a class \
             like them, call it otherwise",
            names(&self.others),
            name = self.name
        )
    }
}

/// Refuses class folders of which only one has images, and is named like a folder of all images.
pub(super) fn check_classes(tree: &Tree<'_>, folders: &[Item]) -> Result<(), PrepError> {
    let is_called = |item: &Item, names: &[&str]| names.contains(&&*item.name.to_lowercase());
    let mut holders = folders
        .iter()
        .filter(|item| is_called(item, &BETWEEN) || is_called(item, &["data"]));
    let (Some(holder), None) = (holders.next(), holders.next()) else {
        return Ok(());
    };
    // An export says itself what its classes are.
    if tree.source.join(ABOUT_FILE).is_file() {
        return Ok(());
    }
    let may_be_image = |path: &Path| {
        PassedKind::by_name(&text::from_os(path.file_name().unwrap_or_default())).is_none()
    };
    let mut others = folders.iter().filter(|item| item.name != holder.name);
    if others.any(|item| !is_called(item, &LABELS) && tree.holds(&item.path, may_be_image)) {
        return Ok(());
    }
    Err(PrepError::Source {
        path: holder.path.parent().unwrap_or(tree.source).to_owned(),
        message: format!(
            "its only folder of images, {:?}, is called like no class: put the images into folders named by \
             class, or give a .csv or .tsv list of paths and labels as SRC; --layout class-folders takes the \
             folders as classes all the same",
            holder.name
        ),
    })
}

/// The first of some names.
pub(super) fn names(all: &[String]) -> String {
    let more = if all.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", all[..all.len().min(SHOWN)].join(", "))
}
