//! The labels of a validation split whose images lie in one folder: which file says them.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::bounded::read_text;
use super::devkit::{self, image_number};
use super::kaggle;
use super::samples::is_wnid;
use crate::error::PrepError;

/// Tiny ImageNet's table, in the folder of the split: `NAME\tSYNSET\tx\ty\tx\ty`.
const ANNOTATIONS: &str = "val_annotations.txt";
/// Caffe's table: `NAME LABEL`, beside the folder of the split or in it.
const CAFFE: &str = "val.txt";

/// Labels of images by their file names.
pub(super) struct FlatLabels {
    /// What says them.
    pub(super) files: Vec<PathBuf>,
    /// Class of each file, by its name with or without its extension.
    named: HashMap<String, String>,
    /// Class of each file by the number in its name, from 1.
    numbered: Vec<String>,
    /// What else the files say: words of classes.
    pub(super) words: Vec<(String, String)>,
}

impl FlatLabels {
    /// The class of an image.
    pub(super) fn class(&self, file_name: &str) -> Option<&str> {
        let stem = file_name
            .rsplit_once('.')
            .map_or(file_name, |(stem, _)| stem);
        let named = self.named.get(file_name).or_else(|| self.named.get(stem));
        let number = || {
            let number = image_number(file_name)?;
            self.numbered.get(number - 1)
        };
        named.or_else(number).map(String::as_str)
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
        named: HashMap::new(),
        numbered: Vec::new(),
        words: Vec::new(),
    };
    if let Some(path) = there(kaggle::VAL_TABLE) {
        return Ok(Some(FlatLabels {
            named: kaggle::solution(&path)?.into_iter().collect(),
            files: vec![path],
            ..none()
        }));
    }
    let annotations = folder.join(ANNOTATIONS);
    if annotations.is_file() {
        let text = read_text(&annotations)?;
        let lines = text.lines().filter_map(|line| {
            let mut fields = line.split('\t');
            Some((
                fields.next()?.trim().to_owned(),
                fields.next()?.trim().to_owned(),
            ))
        });
        return Ok(Some(FlatLabels {
            named: lines.collect(),
            files: vec![annotations],
            ..none()
        }));
    }
    if let Some(path) = there(CAFFE) {
        return Ok(Some(FlatLabels {
            named: caffe(&path, train)?,
            files: vec![path],
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

/// The lines `NAME LABEL` of Caffe's lists. A label is a number that counts the training classes, or a
/// synset.
fn caffe(path: &Path, train: &[String]) -> Result<HashMap<String, String>, PrepError> {
    let wrong = |line: usize, message: String| PrepError::Source {
        path: path.to_owned(),
        message: format!("line {}: {message}", line + 1),
    };
    let mut named = HashMap::new();
    for (line, text) in read_text(path)?.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let (name, label) = text
            .trim()
            .rsplit_once([' ', '\t', ','])
            .ok_or_else(|| wrong(line, "expected NAME LABEL".to_owned()))?;
        let class = if let Ok(number) = label.parse::<usize>() {
            train.get(number).cloned().ok_or_else(|| {
                let count = train.len();
                wrong(
                    line,
                    format!(
                        "label {number} counts the training classes, but there are {count}: give the \
                         training set that the list belongs to"
                    ),
                )
            })?
        } else if is_wnid(label) || train.iter().any(|known| known == label) {
            label.to_owned()
        } else {
            return Err(wrong(
                line,
                format!("{label:?} is neither a number nor a class"),
            ));
        };
        let name = name.trim().rsplit(['/', '\\']).next().unwrap_or_default();
        if let Some(other) = named.insert(name.to_owned(), class.clone())
            && other != class
        {
            return Err(wrong(
                line,
                format!("{name} has two labels, {other} and {class}"),
            ));
        }
    }
    Ok(named)
}

/// What is said where no labels are found.
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
            table = kaggle::VAL_TABLE,
            places = places.join(" or "),
        ),
    }
}
