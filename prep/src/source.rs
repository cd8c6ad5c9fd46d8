//! Finds the images of a source and their classes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use shardmill_formats::{Permutation, Philox, Stream};
use walkdir::WalkDir;

use crate::error::PrepError;
use crate::options::IngestOptions;

/// An image that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Name relative to the source, components separated by `/`.
    pub(crate) key: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Index of its class.
    pub(crate) label: i64,
}

/// What a source holds. Everything is sorted, so the system's order of listing does not matter.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Names of the class folders; a label is an index into them.
    pub(crate) classes: Vec<String>,
    /// Entries of each split, by key.
    pub(crate) splits: BTreeMap<&'static str, Vec<Entry>>,
    /// Files that systems and archivers leave behind, passed over.
    pub(crate) ignored: u64,
}

impl Listing {
    pub(crate) fn images(&self) -> u64 {
        self.splits
            .values()
            .map(|entries| entries.len() as u64)
            .sum()
    }
}

/// Lists class folders: `SRC/train/<class>/*` with an optional `SRC/val/<class>/*`, or
/// `SRC/<class>/*`, of which a share becomes `val` if asked for.
pub(crate) fn list(options: &IngestOptions) -> Result<Listing, PrepError> {
    let source = &options.source;
    if !source.is_dir() {
        return Err(PrepError::NotAFolder(source.clone()));
    }
    let mut listing = Listing {
        classes: Vec::new(),
        splits: BTreeMap::new(),
        ignored: 0,
    };
    let train = source.join("train");
    let has_splits = train.is_dir();
    let root = if has_splits { &train } else { source };
    listing.classes = folders(root, &mut listing.ignored)?;
    if listing.classes.is_empty() {
        return Err(PrepError::NoClasses(source.clone()));
    }
    let classes = listing.classes.clone();
    let mut entries = split_entries(source, root, &classes, &mut listing.ignored)?;
    if entries.is_empty() {
        return Err(PrepError::NoImages {
            path: source.clone(),
            classes: classes.len(),
        });
    }
    let val = source.join("val");
    if has_splits && val.is_dir() {
        if options.val_fraction > 0.0 {
            return Err(PrepError::Option {
                option: "val-fraction",
                found: options.val_fraction.to_string(),
                expected: format!(
                    "{} has a split of its own; leave the option out",
                    val.display()
                ),
            });
        }
        let mut ignored = 0;
        if let Some(class) = folders(&val, &mut ignored)?
            .into_iter()
            .find(|class| !classes.contains(class))
        {
            return Err(PrepError::UnknownClass { class });
        }
        let entries = split_entries(source, &val, &classes, &mut listing.ignored)?;
        listing.ignored += ignored;
        listing.splits.insert("val", entries);
    } else if options.val_fraction > 0.0 {
        let (kept, val) = divide(entries, options);
        entries = kept;
        listing.splits.insert("val", val);
    }
    listing.splits.insert("train", entries);
    listing.splits.retain(|_, entries| !entries.is_empty());
    Ok(listing)
}

/// Moves a share of each class, chosen by the seed, to the validation split.
fn divide(entries: Vec<Entry>, options: &IngestOptions) -> (Vec<Entry>, Vec<Entry>) {
    let philox = Philox::new(options.seed, Stream::Split);
    let (mut train, mut val) = (Vec::new(), Vec::new());
    for class in entries.chunk_by(|a, b| a.label == b.label) {
        let count = class.len();
        let moved = (count as f64 * options.val_fraction).round() as u64;
        let permutation = Permutation::new(count as u64, &philox, class[0].label as u64);
        for (i, entry) in class.iter().enumerate() {
            let side = if permutation.at(i as u64) < moved {
                &mut val
            } else {
                &mut train
            };
            side.push(entry.clone());
        }
    }
    (train, val)
}

/// Names of the folders directly inside of `root`, sorted.
fn folders(root: &Path, ignored: &mut u64) -> Result<Vec<String>, PrepError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root).map_err(PrepError::io(root))? {
        let path = entry.map_err(PrepError::io(root))?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if is_clutter(&name) {
            *ignored += 1;
        } else if path.is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The files of every class folder of a split, sorted by class and key.
fn split_entries(
    source: &Path,
    root: &Path,
    classes: &[String],
    ignored: &mut u64,
) -> Result<Vec<Entry>, PrepError> {
    let mut entries = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let folder = root.join(class);
        if !folder.is_dir() {
            continue;
        }
        let first = entries.len();
        // Links are followed; walkdir reports a loop as an error instead of walking it.
        for found in WalkDir::new(&folder).follow_links(true) {
            let found = found.map_err(|error| PrepError::Io {
                path: error.path().unwrap_or(&folder).to_owned(),
                source: error.into(),
            })?;
            if !found.file_type().is_file() {
                continue;
            }
            if found.path().strip_prefix(&folder).is_ok_and(has_clutter) {
                *ignored += 1;
                continue;
            }
            let key = key_of(source, found.path());
            entries.push(Entry {
                key,
                path: found.into_path(),
                label: label as i64,
            });
        }
        entries[first..].sort();
    }
    Ok(entries)
}

/// A path relative to the source with `/` between its components. Bytes that are not UTF-8 become
/// the replacement character, so that every file can be named.
fn key_of(source: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(source).unwrap_or(path);
    relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

fn has_clutter(path: &Path) -> bool {
    path.components()
        .any(|part| is_clutter(&part.as_os_str().to_string_lossy()))
}

/// What file managers and archivers leave behind, and hidden files.
fn is_clutter(name: &str) -> bool {
    name.starts_with('.') || matches!(name, "Thumbs.db" | "desktop.ini" | "__MACOSX")
}
