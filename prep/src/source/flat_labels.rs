//! Labels of a validation split whose images are in one folder, and the file that they come from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::bounded::read_text;
use super::devkit::{self, image_number};
use super::named_labels::NamedLabels;
use super::{caffe, kaggle_solution};
use crate::error::PrepError;

/// Tiny ImageNet's table, in the folder of the split: `NAME\tSYNSET\tx\ty\tx\ty`.
const ANNOTATIONS: &str = "val_annotations.txt";
/// Caffe's table: `NAME LABEL`, beside the folder of the split or in it.
const CAFFE: &str = "val.txt";

/// Labels of images by their file names.
pub(super) struct FlatLabels {
    /// The files that they come from.
    pub(super) files: Vec<PathBuf>,
    /// Class of each file, by its name with or without its extension.
    named: NamedLabels,
    /// Class of each file by the number in its name, from 1.
    numbered: Vec<String>,
    /// What else the files say: words of classes.
    pub(super) words: Vec<(String, String)>,
    /// How the labels were read, where that may be another way than was meant.
    pub(super) note: Option<String>,
}

impl FlatLabels {
    /// The class of an image.
    pub(super) fn class(&mut self, file_name: &str) -> Option<&str> {
        if self.numbered.is_empty() {
            return self.named.class(file_name);
        }
        let number = image_number(file_name)?;
        self.numbered.get(number - 1).map(String::as_str)
    }

    /// A note on images that have labels and are not in `folder`.
    pub(super) fn absent(&self, folder: &str) -> Option<String> {
        let absent = self.named.absent();
        let (count, more) = (absent.len(), if absent.len() > 5 { ", ..." } else { "" });
        let images = if count == 1 {
            "image that is"
        } else {
            "images that are"
        };
        let names = absent.into_iter().take(5).collect::<Vec<_>>().join(", ");
        (count > 0).then(|| {
            let table = super::text::from_os(self.files[0].file_name().unwrap_or_default());
            format!("{table} names {count} {images} not in {folder}: {names}{more}")
        })
    }
}

/// Looks for labels of the images in `folder`, in the folder itself and in `tables`. `train` are the
/// names of the training classes in the order of their labels, which Caffe's numbers count.
pub(super) fn find(
    folder: &Path,
    tables: &[PathBuf],
    train: &[String],
) -> Result<Option<FlatLabels>, PrepError> {
    let mut places = tables.to_vec();
    places.push(folder.to_owned());
    let there = |name: &str| {
        places
            .iter()
            .map(|place| place.join(name))
            .find(|path| path.is_file())
    };
    let none = || FlatLabels {
        files: Vec::new(),
        named: NamedLabels::default(),
        numbered: Vec::new(),
        words: Vec::new(),
        note: None,
    };
    if let Some(path) = there(kaggle_solution::FILE) {
        return Ok(Some(FlatLabels {
            named: kaggle_solution::read(&path)?,
            files: vec![path],
            ..none()
        }));
    }
    let path = folder.join(ANNOTATIONS);
    if path.is_file() {
        return Ok(Some(FlatLabels {
            named: annotations(&path)?,
            files: vec![path],
            ..none()
        }));
    }
    if let Some(path) = there(CAFFE) {
        let (named, note) = caffe::read(&path, train)?;
        return Ok(Some(FlatLabels {
            named,
            files: vec![path],
            note,
            ..none()
        }));
    }
    for place in &places {
        if let Some(kit) = devkit::read(place)? {
            return Ok(Some(FlatLabels {
                files: devkit::files(place),
                numbered: kit.validation,
                words: kit.words.into_iter().collect(),
                ..none()
            }));
        }
    }
    Ok(None)
}

/// The lines of Tiny ImageNet's table. What is no line of it labels nothing.
fn annotations(path: &Path) -> Result<NamedLabels, PrepError> {
    let mut named = NamedLabels::default();
    for (line, text) in (1..).zip(read_text(path)?.lines()) {
        let mut fields = text.split('\t').map(str::trim);
        let (Some(name), Some(class)) = (fields.next(), fields.next()) else {
            continue;
        };
        named
            .add(name, class, line)
            .map_err(|message| PrepError::Source {
                path: path.to_owned(),
                message: format!("line {line}: {message}"),
            })?;
    }
    Ok(named)
}

/// The error if no labels are found.
pub(super) fn expected(images: usize, split: &str, folder: &Path, tables: &[PathBuf]) -> PrepError {
    let places: BTreeSet<String> = tables
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let places: Vec<String> = places.into_iter().collect();
    PrepError::Source {
        path: folder.to_owned(),
        message: format!(
            "it holds {images} images and no class folders, and nothing says their labels: put \
             {table}, {CAFFE} (lines NAME LABEL) or ILSVRC2012_devkit_t12.tar.gz into {places}, or \
             {ANNOTATIONS} into the folder itself; or leave the split out with --without {split}",
            table = kaggle_solution::FILE,
            places = places.join(" or "),
        ),
    }
}
