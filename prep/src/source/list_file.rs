//! A CSV or TSV file of paths, labels and perhaps splits.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::list_table::{self, Row};
use super::packed::Packed;
use super::samples::{Sample, fill_numbers, finish, named};
use super::told::{Labels, Told};
use super::{Layout, Listing, NO_LABEL, Place, names, text};
use crate::error::PrepError;
use crate::reject::Reject;

/// A split, and a path as it is written.
type Named = (&'static str, Box<[u8]>);

/// Lists the images of a table. Paths are relative to the table's folder and stay inside of it.
pub(super) fn list(source: &Path) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::List);
    let folder = source.parent().unwrap_or(Path::new(""));
    let wrong = |line: u64, message: String| PrepError::Source {
        path: source.to_owned(),
        message: format!("line {line}: {message}"),
    };
    let is_file = |path: &[u8]| inside(folder, path).is_some_and(|path| path.is_file());
    let table = list_table::read(source, &is_file)?;
    listing.notes = table.notes;
    let (mut labels, mut samples) = (Labels::default(), Vec::new());
    let mut seen: HashMap<Named, (u64, i64)> = HashMap::new();
    let mut labelled: BTreeMap<&str, (bool, u64)> = BTreeMap::new();
    let mut repeated = (0_u64, 0);
    for Row {
        line,
        path,
        label,
        split,
    } in table.rows
    {
        let key = text::from_bytes(&path);
        let Some(file) = inside(folder, &path) else {
            let message = format!(
                "{key:?} leads out of the table's folder: give paths under {}, without `..`",
                folder.display()
            );
            return Err(wrong(line, message));
        };
        let number = match &*label {
            "" => NO_LABEL,
            text => Told::read(text)
                .and_then(|told| labels.number(told))
                .map_err(|message| wrong(line, message))?,
        };
        let has = number != NO_LABEL;
        let (before, first) = *labelled.entry(split).or_insert((has, line));
        if before != has {
            let message = format!(
                "split {split:?} has images with and without labels (line {first} is the other kind): \
                 give them different splits"
            );
            return Err(wrong(line, message));
        }
        match seen.insert((split, path), (line, number)) {
            Some((other, same)) if same == number => {
                repeated = (
                    repeated.0 + 1,
                    if repeated.0 == 0 { other } else { repeated.1 },
                );
                continue;
            }
            Some((other, _)) => {
                let message = format!("{key:?} has another label here than in line {other}");
                return Err(wrong(line, message));
            }
            None => {}
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
    if let (count @ 1.., line) = repeated {
        listing.notes.push(format!(
            "{count} lines name an image again that an earlier line of the same split names with the same \
             label (the first is that of line {line}): each image is taken once"
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

/// The file that a path names; `None` if it leads out of the folder.
fn inside(folder: &Path, path: &[u8]) -> Option<PathBuf> {
    #[cfg(unix)]
    let relative = Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path));
    #[cfg(not(unix))]
    let relative = Path::new(std::str::from_utf8(path).ok()?);
    let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    let plain = !path.is_empty() && !path.iter().any(|byte| matches!(byte, b'\\' | b':'));
    (plain && relative.components().all(normal)).then(|| folder.join(relative))
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
