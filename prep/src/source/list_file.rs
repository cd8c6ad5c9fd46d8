//! A CSV or TSV file of paths, labels and perhaps splits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::list_table::{self, Row};
use super::listed_images::ListedImages;
use super::packed::Packed;
use super::samples::{Sample, fill_numbers, finish, named};
use super::written_label::{Labels, WrittenLabel};
use super::{Layout, Listing, NO_LABEL, Place, names, text};
use crate::error::PrepError;
use crate::observe::Observer;
use crate::reject::Reject;

/// Lists the images of a table. Paths are relative to the table's folder and stay inside of it.
pub(super) fn list(source: &Path, observer: &Observer) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::List);
    let folder = source.parent().unwrap_or(Path::new(""));
    let wrong = |line: u64, message: String| PrepError::Source {
        path: source.to_owned(),
        message: format!("line {line}: {message}"),
    };
    let around = Around::of(folder)?;
    let is_file = |path: &[u8]| around.inside(path).is_some_and(|(path, _)| path.is_file());
    let table = list_table::read(source, &is_file)?;
    listing.notes = table.notes;
    let (mut labels, mut samples) = (Labels::default(), Vec::new());
    let mut seen = ListedImages::default();
    let mut labelled: BTreeMap<&str, (bool, u64)> = BTreeMap::new();
    let mut assumed = (0_u64, 0);
    for row in table.rows {
        observer.check()?;
        let Row {
            line, label, split, ..
        } = row;
        let Some((file, path)) = around.inside(&row.path) else {
            let message = format!(
                "{:?} leads out of the table's folder: give paths under {}, without `..`",
                text::from_bytes(&row.path),
                folder.display()
            );
            return Err(wrong(line, message));
        };
        let key = text::from_bytes(&path);
        let number = match &*label {
            "" => NO_LABEL,
            text => WrittenLabel::read(text)
                .and_then(|label| labels.number(label))
                .map_err(|message| wrong(line, message))?,
        };
        if row.assumed {
            assumed = (assumed.0 + 1, if assumed.0 == 0 { line } else { assumed.1 });
        }
        let has = number != NO_LABEL;
        let (before, first) = *labelled.entry(split).or_insert((has, line));
        if before != has {
            let message = format!(
                "split {split:?} has images with and without labels (line {first} is the other kind): \
                 give them different splits"
            );
            return Err(wrong(line, message));
        }
        if !seen
            .add(&path, split, number, line)
            .map_err(|message| wrong(line, message))?
        {
            continue;
        }
        samples.push(Sample {
            split,
            label: number,
            name: "".into(),
            key: Some(key.into()),
            file: 0,
            place: place(source, file, line)?,
        });
    }
    listing.notes.extend(seen.notes());
    if let (count @ 1.., line) = assumed
        && labelled.values().any(|(has, _)| *has)
    {
        listing.notes.push(format!(
            "{count} rows have no label and became split test (the first: line {line})"
        ));
    }
    let mut words = names::in_folder(folder)?;
    let texts = labels.names();
    let synsets = match texts.is_empty() {
        true => fill_numbers(labels.largest()),
        false => named(texts.into_iter(), &mut words),
    };
    let file = Packed {
        path: source.to_owned(),
        split: None,
    };
    finish(listing, &[file], samples, &synsets, &words)
}

/// The folder that the paths of a list are relative to.
struct Around {
    folder: PathBuf,
    /// What an absolute path to something in it begins with.
    roots: Vec<PathBuf>,
}

impl Around {
    fn of(folder: &Path) -> Result<Self, PrepError> {
        let absolute = std::path::absolute(match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        });
        let absolute = absolute.map_err(PrepError::io(folder))?;
        let real = fs::canonicalize(&absolute).ok();
        Ok(Self {
            folder: folder.to_owned(),
            roots: [Some(absolute), real].into_iter().flatten().collect(),
        })
    }

    /// The file that a path names, and the path below the folder; `None` if it leads out of the folder.
    fn inside<'a>(&self, path: &'a [u8]) -> Option<(PathBuf, Cow<'a, [u8]>)> {
        let whole = as_path(path)?;
        let below = match whole.is_absolute() {
            true => self
                .roots
                .iter()
                .find_map(|root| whole.strip_prefix(root).ok())?,
            false => whole.strip_prefix(".").unwrap_or(whole),
        };
        let written = match below == whole {
            true => Cow::Borrowed(path),
            false => Cow::Owned(below.as_os_str().as_encoded_bytes().to_vec()),
        };
        let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
        let plain = !written.is_empty() && !written.iter().any(|byte| matches!(byte, b'\\' | b':'));
        (plain && below.components().all(normal)).then(|| (self.folder.join(below), written))
    }
}

fn as_path(path: &[u8]) -> Option<&Path> {
    #[cfg(unix)]
    let text = Some(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path));
    #[cfg(not(unix))]
    let text = std::str::from_utf8(path).ok();
    text.map(Path::new)
}

/// Where an image is; a reject that names the line if it is nowhere. It is decided now: a file that goes
/// missing later is a source that changed.
fn place(source: &Path, file: PathBuf, line: u64) -> Result<Place, PrepError> {
    let list = text::from_os(source.file_name().unwrap_or_default());
    let rejected = |reject| Ok(Place::Rejected(Box::new(reject)));
    match fs::metadata(&file) {
        Ok(data) if data.is_file() => Ok(Place::File(file.into())),
        Ok(data) => {
            let what = if data.is_dir() {
                "folder"
            } else {
                "FIFO, socket or device"
            };
            rejected(Reject::NotAFile(format!(
                "line {line} of {list} names a {what}"
            )))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            rejected(Reject::Missing(format!(
                "line {line} of {list} names a file that is not there"
            )))
        }
        Err(error) => Err(PrepError::io(&file)(error)),
    }
}
