//! One image out of a dataset.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use shardmill_formats::{Codec, Manifest, RecordShape};

use super::nearest::Nearest;
use crate::error::PrepError;
use crate::io::Place;
use crate::shards::{Reader, TRAIN};
use crate::shards::{Shard, read_manifest};

/// Which record of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The record with this key.
    Key(String),
    /// The record with this 0-based number in its split.
    Index(u64),
}

/// The image that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// Its split.
    pub split: String,
    /// Its 0-based number in the split.
    pub index: u64,
    /// Its key.
    pub key: String,
    /// Its class, -1 without one.
    pub label: i64,
    /// Bytes written.
    pub bytes: u64,
}

/// Writes one image of the dataset in `folder` to `target`: the stored bytes if the codec is
/// `jpeg` and the name ends in `.jpg` or `.jpeg`, otherwise the pixels as PNG. A key is looked for
/// in `split`, or in every split without one; a number counts in `split`, or in `train`. A file
/// that exists is replaced only if `force` says so; a link is replaced, never followed.
///
/// # Errors
/// A key or number that the dataset does not hold, a name with another ending, a target that
/// exists, or a record that differs from its checksum.
pub fn extract(
    folder: &Path,
    selector: &Selector,
    split: Option<&str>,
    target: &Path,
    force: bool,
) -> Result<Extracted, PrepError> {
    let place = Place::new(folder)?;
    let (_, manifest) = read_manifest(&place)?;
    let stored = wants_stored(target, manifest.codec)?;
    check_free(target, force)?;
    let (split, first, shard, i) = find(&place, &manifest, selector, split)?;
    let mut reader = Reader::new(&manifest);
    let bytes = if stored {
        reader.read(&shard, i)?;
        reader.stored
    } else {
        reader.decode(&shard, i)?;
        png(&reader.rgb, manifest.shape(), || shard.place(i))?
    };
    write(target, &bytes, force)?;
    Ok(Extracted {
        split,
        index: first + i as u64,
        key: shard.key(i).to_owned(),
        label: shard.label(i),
        bytes: bytes.len() as u64,
    })
}

/// Whether the ending of `target` asks for the stored bytes; otherwise it asks for PNG.
fn wants_stored(target: &Path, codec: Codec) -> Result<bool, PrepError> {
    let ending = target
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let expected = match (ending.as_str(), codec) {
        ("jpg" | "jpeg", Codec::Jpeg) => return Ok(true),
        ("png", _) => return Ok(false),
        ("jpg" | "jpeg", _) => format!(
            "the records are {codec}, which only PNG holds without loss: give a name that ends in .png"
        ),
        (_, Codec::Jpeg) => {
            "give a name that ends in .jpg (the stored bytes) or .png (the pixels)".to_owned()
        }
        _ => "give a name that ends in .png".to_owned(),
    };
    Err(PrepError::Option {
        option: "out",
        found: target.display().to_string(),
        expected,
    })
}

/// The names of the splits that are meant, or an error with the ones there are.
pub(super) fn split_names<'a>(
    manifest: &'a Manifest,
    wanted: &[String],
) -> Result<Vec<&'a str>, PrepError> {
    let names: Vec<&str> = manifest.splits.keys().map(String::as_str).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(PrepError::Unknown {
            what: "split",
            found: unknown.clone(),
            hint: format!("the dataset has {}", names.join(", ")),
        });
    }
    let chosen = |name: &&str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    Ok(names.into_iter().filter(chosen).collect())
}

/// The split, the number of its records before the shard, the shard, and the record in it.
fn find(
    place: &Place,
    manifest: &Manifest,
    selector: &Selector,
    split: Option<&str>,
) -> Result<(String, u64, Shard, usize), PrepError> {
    let wanted: Vec<String> = match (selector, split) {
        (_, Some(split)) => vec![split.to_owned()],
        (Selector::Index(_), None) => vec![TRAIN.to_owned()],
        (Selector::Key(_), None) => Vec::new(),
    };
    let splits = split_names(manifest, &wanted)?;
    match selector {
        Selector::Key(key) => {
            let mut nearest = Nearest::new(key);
            for name in splits {
                let mut first: u64 = 0;
                for entry in &manifest.splits[name].shards {
                    let shard = Shard::open(place, manifest, name, entry)?;
                    if let Some(i) = (0..shard.len()).find(|&i| shard.key(i) == key) {
                        return Ok((name.to_owned(), first, shard, i));
                    }
                    (0..shard.len()).for_each(|i| nearest.add(shard.key(i)));
                    first = first.saturating_add(entry.records);
                }
            }
            Err(PrepError::Unknown {
                what: "key",
                found: key.clone(),
                hint: nearest.hint(),
            })
        }
        &Selector::Index(index) => {
            let name = splits.first().copied().unwrap_or(TRAIN);
            let split = &manifest.splits[name];
            let mut first: u64 = 0;
            for entry in &split.shards {
                if index < first.saturating_add(entry.records) {
                    let shard = Shard::open(place, manifest, name, entry)?;
                    return Ok((name.to_owned(), first, shard, (index - first) as usize));
                }
                first = first.saturating_add(entry.records);
            }
            Err(PrepError::Index {
                index,
                split: name.to_owned(),
                records: split.records,
            })
        }
    }
}

/// The pixels of a record as a PNG file.
pub(super) fn png(
    rgb: &[u8],
    shape: RecordShape,
    place: impl FnOnce() -> String,
) -> Result<Vec<u8>, PrepError> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive)
        .write_image(rgb, shape.width, shape.height, ExtendedColorType::Rgb8)
        .map_err(|error| PrepError::Io {
            path: PathBuf::from(place()),
            source: std::io::Error::other(error.to_string()),
        })?;
    Ok(bytes)
}

/// Refuses a file that exists, unless `force` says that it is replaced.
pub(super) fn check_free(target: &Path, force: bool) -> Result<(), PrepError> {
    match !force && fs::symlink_metadata(target).is_ok() {
        true => Err(PrepError::Exists(target.to_owned())),
        false => Ok(()),
    }
}

/// Writes a file that was not there, or by `force` takes the place of one that is.
pub(super) fn write(target: &Path, bytes: &[u8], force: bool) -> Result<(), PrepError> {
    // A new file of another name takes the old one's place, so that the old one is there until then.
    let path = if force {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        target.with_file_name(format!("{name}.{}.part", std::process::id()))
    } else {
        target.to_owned()
    };
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists if !force => PrepError::Exists(path.clone()),
        _ => PrepError::io(&path)(error),
    })?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| {
            if force {
                fs::rename(&path, target)
            } else {
                Ok(())
            }
        });
    written.map_err(|error| {
        let _ = fs::remove_file(&path);
        PrepError::io(target)(error)
    })
}
