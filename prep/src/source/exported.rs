//! Exports into class folders: a description beside the folders has what their names cannot express.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::about::{ABOUT_FILE, About, ExportFormat, KEYS_FILE, read_about};
use super::{Entry, Listing, NO_LABEL, Place};
use crate::error::PrepError;
use crate::io::file;
use crate::io::safe_path::component;
use crate::io::unfinished::EXPORT_JOURNAL;

/// Longest line of the list of keys: a path and a key of the longest kind.
const LONGEST_LINE: u64 = 16 << 10;

/// Refuses a folder in which an export is under way or was interrupted.
pub(super) fn refuse_unfinished(source: &Path) -> Result<(), PrepError> {
    let path = source.join(EXPORT_JOURNAL);
    if fs::symlink_metadata(&path).is_err() {
        return Ok(());
    }
    Err(PrepError::Source {
        path,
        message:
            "this export is not finished: repeat the same `prep export`, which resumes it, and \
                  ingest it then"
                .to_owned(),
    })
}

/// Gives the images of an export the classes and keys that they had. A folder that has become something
/// else since stays as it was listed.
pub(super) fn apply(source: &Path, listing: &mut Listing) -> Result<(), PrepError> {
    let path = source.join(ABOUT_FILE);
    if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    let about = read_about(&path)?.filter(is_sound);
    let Some(mut images) = about
        .as_ref()
        .and_then(|about| place(source, listing, about))
    else {
        return Ok(());
    };
    read_keys(&source.join(KEYS_FILE), &mut images)?;
    listing.classes = about.map(|about| about.classes).unwrap_or_default();
    listing.splits = BTreeMap::new();
    for (path, image) in images {
        let key = image.key.unwrap_or_else(|| path.clone());
        let place = match image.place {
            Place::Key | Place::File(_) if key == path => Place::Key,
            Place::Key => Place::File(source.join(&*path).into()),
            other => other,
        };
        let entries = listing.splits.entry(image.split).or_default();
        entries.push(Entry {
            label: image.label,
            key,
            place,
        });
    }
    Ok(())
}

/// Whether a description can be that of a dataset.
fn is_sound(about: &About) -> bool {
    let mut pairs = about.classes.windows(2);
    about.format == ExportFormat::Folder
        && about.folders.len() == about.classes.len()
        && pairs.all(|pair| pair[0].synset < pair[1].synset)
}

/// An image of the export.
struct Image {
    split: &'static str,
    label: i64,
    place: Place,
    /// If it is not its path.
    key: Option<Box<str>>,
}

/// The images by their paths below the source; `None` if one is where the export has no folder.
fn place(source: &Path, listing: &Listing, about: &About) -> Option<HashMap<Box<str>, Image>> {
    let labels: HashMap<&str, i64> = about.folders.iter().map(String::as_str).zip(0..).collect();
    let mut splits = HashMap::new();
    for (name, split) in &about.splits {
        let known = ["train", "val", "test"]
            .into_iter()
            .find(|known| known == name)?;
        splits.insert(component(name), (known, split.labelled));
    }
    let mut images = HashMap::new();
    for entry in listing.splits.values().flatten() {
        let path: Box<str> = match &entry.place {
            Place::File(path) => {
                let below = path.strip_prefix(source).ok()?;
                let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
                parts?.join("/").into()
            }
            Place::Key | Place::Rejected(_) => entry.key.clone(),
            Place::Range { .. } => return None,
        };
        let mut parts = path.split('/');
        let &(split, labelled) = splits.get(parts.next()?)?;
        let label = match labelled {
            true => *labels.get(parts.next()?)?,
            false => NO_LABEL,
        };
        let image = Image {
            split,
            label,
            place: entry.place.clone(),
            key: None,
        };
        images.insert(path, image);
    }
    Some(images)
}

/// Reads the keys of the images that are there.
fn read_keys(path: &Path, images: &mut HashMap<Box<str>, Image>) -> Result<(), PrepError> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    let mut reader = BufReader::new(file::open_to_read(path)?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(PrepError::io(path))?;
        if read == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").map(str::from_utf8);
        let Some((place, key)) = text
            .and_then(Result::ok)
            .and_then(|text| text.split_once('\t'))
        else {
            return Err(PrepError::Source {
                path: path.to_owned(),
                message: format!(
                    "line {number} is not a path, a tab and a key: remove the file, and paths are keys"
                ),
            });
        };
        if let Some(image) = images.get_mut(place) {
            image.key = Some(key.into());
        }
    }
    let keys = images
        .iter()
        .map(|(path, image)| image.key.as_ref().unwrap_or(path));
    if keys.collect::<HashSet<_>>().len() < images.len() {
        return Err(PrepError::Source {
            path: path.to_owned(),
            message: "it gives two images one key: remove the file, and paths are keys".to_owned(),
        });
    }
    Ok(())
}
