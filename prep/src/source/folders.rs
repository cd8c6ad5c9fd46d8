//! Folders named by class, and folders of images without classes.

use std::path::{Path, PathBuf};

use super::collecting::Collecting;
use super::doubtful::Beside;
use super::request::SourceRequest;
use super::splits::{self, ORDER, paths};
use super::tree::{Item, Tree};
use super::{
    Entry, Layout, Listing, NO_LABEL, PassedKind, Place, elsewhere, is_image_name, split, text,
};
use crate::error::PrepError;

/// Lists folders of splits with class folders in them, or class folders alone.
pub(super) fn list(request: &SourceRequest<'_>) -> Result<Listing, PrepError> {
    let source = request.source;
    let tree = Tree::new(source, request.out).observed(request.observer);
    let mut listing = Listing::new(Layout::ClassFolders);
    let level = tree.level(source)?;
    if level.folders.is_empty() {
        return Err(PrepError::NoClasses(source.to_owned()));
    }
    let mut splits = splits::find(&tree, &level)?;
    let beside = splits.as_ref().map(|splits| Beside::look(&tree, splits));
    if let Some(beside) = beside.transpose()?.flatten() {
        match (beside.is_doubtful, request.layout) {
            (true, None) => return Err(beside.error(source)),
            // The layout was given: all are classes.
            (true, Some(_)) => splits = None,
            (false, _) => listing.notes.push(beside.note()),
        }
    }
    if splits.is_none() && request.layout.is_none() {
        elsewhere::check(&tree, &level)?;
    }
    let tables = tables(source);
    let mut collecting = Collecting::new(&tree, request, &mut listing, tables, splits.is_none());
    collecting.read_words()?;
    let folders: Vec<&Item> = match &splits {
        Some(splits) => {
            for split in ORDER {
                if let Some(folder) = splits.folders.get(split) {
                    collecting.add(split, folder)?;
                }
            }
            splits.folders.values().collect()
        }
        None => {
            collecting.add_classes("train", &level.folders)?;
            level.folders.iter().collect()
        }
    };
    collecting.finish(&paths(folders))?;
    Ok(listing)
}

/// Folders that files of labels may be in: the source, and where Kaggle puts them if the source is its
/// folder of images.
fn tables(source: &Path) -> Vec<PathBuf> {
    let mut tables = vec![source.to_owned()];
    if let Ok(path) = std::path::absolute(source)
        && path.ends_with("Data/CLS-LOC")
    {
        tables.extend(path.ancestors().nth(3).map(Path::to_owned));
    }
    tables
}

/// Lists a folder of images without classes as a split `test`.
pub(super) fn list_unlabelled(request: &SourceRequest<'_>) -> Result<Listing, PrepError> {
    let source = request.source;
    let tree = Tree::new(source, request.out).observed(request.observer);
    let mut listing = Listing::new(Layout::Unlabelled);
    let level = tree.level(source)?;
    if request.layout.is_none() {
        elsewhere::check_tables(&tree, &level, "it holds images without class folders")?;
    }
    let (mut entries, mut others) = (Vec::new(), Vec::new());
    tree.walk(source, &mut listing.passed, |path, reject| {
        if !is_image_name(&path) {
            others.push(path);
            return;
        }
        let key = tree.name(&path);
        let place = match reject {
            Some(reject) => Place::Rejected(Box::new(reject)),
            None if source.join(&key) == path => Place::Key,
            None => Place::File(path.into()),
        };
        entries.push(Entry {
            label: NO_LABEL,
            key: key.into(),
            place,
        });
    })?;
    for path in others {
        listing
            .passed
            .add(PassedKind::NotAnImage, &tree.name(&path));
    }
    listing.splits.insert("test", entries);
    listing.notes.extend(too_low(source));
    Ok(listing)
}

/// A note if a folder of images is named like a class.
fn too_low(source: &Path) -> Option<String> {
    let path = std::path::absolute(source).ok()?;
    let name = |path: &Path| path.file_name().map(text::from_os);
    let around = path.parent()?;
    let in_split = name(around).is_some_and(|name| split::of_word(&name).is_some());
    let named = name(&path).is_some_and(|name| super::samples::is_wnid(&name));
    (in_split || named).then(|| {
        format!(
            "{} looks like the folder of one class, and its images get no labels: for labels give {}",
            source.display(),
            match in_split {
                true => around.parent().unwrap_or(around).display(),
                false => around.display(),
            }
        )
    })
}

/// Whether a folder itself holds a file that is named like an image.
pub(super) fn holds_images(folder: &Path) -> Result<bool, PrepError> {
    for entry in std::fs::read_dir(folder).map_err(PrepError::io(folder))? {
        if is_image_name(&entry.map_err(PrepError::io(folder))?.path()) {
            return Ok(true);
        }
    }
    Ok(false)
}
