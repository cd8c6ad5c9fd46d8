//! Folders named by class, and folders of images without classes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{
    Entry, Layout, Listing, NO_LABEL, PassedKind, PassedOver, Place, classes, is_clutter,
    is_image_name, names,
};
use crate::error::PrepError;

/// Lists `SRC/train/<class>/*` with an optional `SRC/val/<class>/*` and `SRC/test/*`, or
/// `SRC/<class>/*`.
pub(super) fn list(source: &Path) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::ClassFolders);
    let train = source.join("train");
    let has_splits = train.is_dir();
    let root = if has_splits { train } else { source.to_owned() };
    let synsets = subfolders(&root, &mut listing.passed)?;
    if synsets.is_empty() {
        return Err(PrepError::NoClasses(source.to_owned()));
    }
    let entries = class_entries(&mut listing, source, &root, &synsets)?;
    if entries.is_empty() {
        return Err(PrepError::NoImages {
            path: source.to_owned(),
            classes: synsets.len(),
        });
    }
    listing.splits.insert("train", entries);
    let (val, test) = (source.join("val"), source.join("test"));
    if has_splits && val.is_dir() {
        let unknown = subfolders(&val, &mut PassedOver::default())?
            .into_iter()
            .find(|class| synsets.binary_search(class).is_err());
        if let Some(class) = unknown {
            return Err(PrepError::UnknownClass { class });
        }
        let entries = class_entries(&mut listing, source, &val, &synsets)?;
        listing.splits.insert("val", entries);
    }
    if has_splits && test.is_dir() {
        let entries = flat_entries(&mut listing, source, &test)?;
        listing.splits.insert("test", entries);
    }
    listing.classes = classes(synsets, &names::in_folder(source)?);
    Ok(listing)
}

/// Lists a folder of images without classes as a split `test`.
pub(super) fn list_unlabelled(source: &Path) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::Unlabelled);
    let entries = flat_entries(&mut listing, source, source)?;
    listing.splits = BTreeMap::from([("test", entries)]);
    Ok(listing)
}

/// Whether a folder itself holds a file that is called like an image.
pub(super) fn holds_images(folder: &Path) -> Result<bool, PrepError> {
    for entry in fs::read_dir(folder).map_err(PrepError::io(folder))? {
        if is_image_name(&entry.map_err(PrepError::io(folder))?.path()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Names of the folders directly inside of `root`, sorted.
pub(super) fn subfolders(root: &Path, passed: &mut PassedOver) -> Result<Vec<String>, PrepError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root).map_err(PrepError::io(root))? {
        let entry = entry.map_err(PrepError::io(root))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(PrepError::io(root))?;
        if is_clutter(&name) {
            passed.add_tree(PassedKind::Hidden, root, &entry.path());
        } else if kind.is_dir() || kind.is_symlink() && entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The files of every class folder of a split.
fn class_entries(
    listing: &mut Listing,
    source: &Path,
    root: &Path,
    synsets: &[String],
) -> Result<Vec<Entry>, PrepError> {
    let mut entries = Vec::new();
    for (label, class) in synsets.iter().enumerate() {
        let folder = root.join(class);
        if folder.is_dir() {
            walk(listing, &folder, |path| {
                entries.push(entry(source, path, label as i64));
            })?;
        }
    }
    Ok(entries)
}

/// The files of a folder that are called like images, without labels.
pub(super) fn flat_entries(
    listing: &mut Listing,
    source: &Path,
    folder: &Path,
) -> Result<Vec<Entry>, PrepError> {
    let (mut entries, mut others) = (Vec::new(), Vec::new());
    walk(listing, folder, |path| {
        if is_image_name(&path) {
            entries.push(entry(source, path, NO_LABEL));
        } else {
            others.push(key_of(source, &path));
        }
    })?;
    for name in others {
        listing.passed.add(PassedKind::NotAnImage, &name);
    }
    Ok(entries)
}

/// Calls `file` with every file under `folder` that is no clutter. Links are followed, each loop of
/// them once.
pub(super) fn walk(
    listing: &mut Listing,
    folder: &Path,
    mut file: impl FnMut(PathBuf),
) -> Result<(), PrepError> {
    for found in WalkDir::new(folder).follow_links(true) {
        let found = match found {
            Ok(found) => found,
            Err(error) if error.loop_ancestor().is_some() => {
                let path = error.path().unwrap_or(folder);
                listing
                    .passed
                    .add(PassedKind::Loop, &path.to_string_lossy());
                continue;
            }
            Err(error) => {
                return Err(PrepError::Io {
                    path: error.path().unwrap_or(folder).to_owned(),
                    source: error.into(),
                });
            }
        };
        if found.file_type().is_dir() {
            continue;
        }
        if !found.file_type().is_file() || found.path().strip_prefix(folder).is_ok_and(has_clutter)
        {
            let kind = if found.file_type().is_file() {
                PassedKind::Hidden
            } else {
                PassedKind::Special
            };
            listing.passed.add(kind, &found.path().to_string_lossy());
            continue;
        }
        file(found.into_path());
    }
    Ok(())
}

fn entry(source: &Path, path: PathBuf, label: i64) -> Entry {
    let key = key_of(source, &path);
    let place = if source.join(&key) == path {
        Place::Key
    } else {
        Place::File(path.into())
    };
    Entry {
        label,
        key: key.into(),
        place,
    }
}

/// A path relative to the source with `/` between its components. Bytes that are not UTF-8 become
/// the replacement character, so that every file can be named.
pub(super) fn key_of(source: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(source).unwrap_or(path);
    let mut key = String::new();
    for part in relative.components() {
        if !key.is_empty() {
            key.push('/');
        }
        key.push_str(&part.as_os_str().to_string_lossy());
    }
    key
}

fn has_clutter(path: &Path) -> bool {
    path.components()
        .any(|part| is_clutter(&part.as_os_str().to_string_lossy()))
}
