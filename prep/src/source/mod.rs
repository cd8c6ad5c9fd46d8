//! Lists the images of a source, their classes and their splits, in every supported layout.

pub(crate) mod about;
mod archive;
mod bounded;
mod caffe;
mod checked_pages;
pub(crate) mod class_table;
mod collected;
mod collecting;
mod columns;
mod devkit;
mod doubtful;
mod elsewhere;
mod exported;
mod field_names;
mod flat_labels;
mod folders;
mod images;
mod kaggle;
mod kaggle_solution;
mod labels;
mod layout;
mod list_file;
mod list_table;
mod listed_images;
mod mat;
mod named_labels;
mod names;
mod notes;
mod official;
mod packed;
mod parquet;
mod passed;
mod quotes;
mod raw_path;
mod read;
mod recognise;
mod renumbered;
mod repeats;
mod request;
mod samples;
mod split;
mod splits;
mod spool;
mod synsets;
mod tar_index;
mod tar_part;
mod tar_samples;
mod tar_walk;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod webdataset;
mod written_label;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use shardmill_formats::{Class, Permutation, Philox, Stream};

pub use images::{ImageFiles, image_files, path_text};
pub use layout::Layout;
use names::ilsvrc_words;
pub use passed::{PassedFiles, PassedKind, PassedOver};
pub(crate) use read::{Container, LONGEST_IMAGE, Place, Reader};
pub(crate) use request::SourceRequest;

use crate::error::PrepError;
use crate::reject::RejectLine;

/// Label of an image without one.
pub(crate) const NO_LABEL: i64 = -1;

/// An image that was found. A million of them take about a hundred megabytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Index of its class, or [`NO_LABEL`].
    pub(crate) label: i64,
    /// Name relative to the source, components separated by `/`. The same image has the same key in
    /// every layout: `train/<synset>/<name>`, `val/<synset>/<name>`, `test/<name>`.
    pub(crate) key: Box<str>,
    /// Where its bytes are.
    pub(crate) place: Place,
}

/// What a source holds. Everything is sorted, so the system's order of listing does not matter.
#[derive(Debug)]
pub(crate) struct Listing {
    /// What the source was recognised as.
    pub(crate) layout: Layout,
    /// Classes, by synset; a label is an index into them.
    pub(crate) classes: Vec<Class>,
    /// Entries of each split, by label and key.
    pub(crate) splits: BTreeMap<&'static str, Vec<Entry>>,
    /// Files that are neither images nor rejects.
    pub(crate) passed: PassedOver,
    /// Splits that were not even listed, since `--without` names them.
    pub(crate) left_out: BTreeSet<&'static str>,
    /// Notes for the user: what was read in another way than one may expect, and what was not used and is not a
    /// file (columns of a table).
    pub(crate) notes: Vec<String>,
    /// Files that hold more than one image; [`Place::Range`] counts in them.
    pub(crate) containers: Vec<Container>,
}

impl Listing {
    fn new(layout: Layout) -> Self {
        Self {
            layout,
            classes: Vec::new(),
            splits: BTreeMap::new(),
            passed: PassedOver::default(),
            left_out: BTreeSet::new(),
            notes: Vec::new(),
            containers: Vec::new(),
        }
    }

    pub(crate) fn images(&self) -> u64 {
        self.splits
            .values()
            .map(|entries| entries.len() as u64)
            .sum()
    }

    /// Sorts, divides if asked for, and drops splits without an image.
    fn finish(mut self, request: &SourceRequest<'_>) -> Result<Self, PrepError> {
        self.splits.retain(|_, entries| !entries.is_empty());
        self.leave_out(request)?;
        self.splits
            .values_mut()
            .for_each(|entries| entries.sort_unstable());
        if self.splits.is_empty() {
            return Err(self.no_images(request));
        }
        if request.val_fraction > 0.0 {
            if self.splits.contains_key("val") {
                return Err(PrepError::Option {
                    option: "val-fraction",
                    found: request.val_fraction.to_string(),
                    expected: "the source has a validation split of its own; leave the option out"
                        .to_owned(),
                });
            }
            if let Some(entries) = self.splits.remove("train") {
                let (train, val) = divide(entries, request);
                self.splits.insert("train", train);
                self.splits.insert("val", val);
                self.splits.retain(|_, entries| !entries.is_empty());
            }
        }
        Ok(self)
    }
}

impl Listing {
    /// The error if no image is left.
    fn no_images(&self, request: &SourceRequest<'_>) -> PrepError {
        if !request.without.is_empty() {
            return PrepError::Option {
                option: "without",
                found: request.without.join(" --without "),
                expected: "no split is left then: leave one of these options out".to_owned(),
            };
        }
        let message = match self.layout {
            Layout::List => {
                "it names no image: expected a line of path, label and split for each".to_owned()
            }
            Layout::Parquet => "its Parquet files have no rows, or there are none".to_owned(),
            Layout::ClassFolders if !self.classes.is_empty() => {
                let classes = self.classes.len();
                format!("none of the {classes} class folders holds a file that may be an image")
            }
            _ => "it holds no image".to_owned(),
        };
        PrepError::NoImages {
            path: request.source.to_owned(),
            message,
        }
    }

    /// The first image that is known to be a reject, with its key and why.
    pub(crate) fn known_reject(&self) -> Option<RejectLine> {
        let entries = self.splits.values().flatten();
        let mut rejects = entries.filter_map(|entry| match &entry.place {
            Place::Rejected(reject) => Some(RejectLine::new(&entry.key, reject)),
            _ => None,
        });
        rejects.next()
    }

    /// Removes the splits that `--without` names and that were listed.
    fn leave_out(&mut self, request: &SourceRequest<'_>) -> Result<(), PrepError> {
        for &split in request.without {
            if let Some(entries) = self.splits.remove(split) {
                for entry in entries {
                    self.passed.add(PassedKind::LeftOut, &entry.key);
                }
            } else if !self.left_out.contains(split) {
                let known: Vec<&str> = self.splits.keys().copied().collect();
                return Err(PrepError::Option {
                    option: "without",
                    found: split.to_owned(),
                    expected: format!("the source has no such split, but {}", known.join(", ")),
                });
            }
        }
        Ok(())
    }
}

/// Lists a source as its layout demands.
pub(crate) fn list(request: &SourceRequest<'_>) -> Result<Listing, PrepError> {
    let source = request.source;
    exported::refuse_unfinished(source)?;
    let layout = match request.layout {
        Some(layout) => layout,
        None => Layout::recognise(source, request.out)?,
    };
    let mut listing = match layout {
        Layout::ClassFolders => folders::list(request)?,
        Layout::Official => official::list(request)?,
        Layout::Kaggle => kaggle::list(request)?,
        Layout::List => list_file::list(source, request.observer)?,
        Layout::WebDataset => webdataset::list(request)?,
        Layout::Parquet => parquet::list(request)?,
        Layout::Unlabelled => folders::list_unlabelled(request)?,
    };
    if matches!(layout, Layout::ClassFolders | Layout::Unlabelled) {
        exported::apply(source, &mut listing)?;
    }
    listing.finish(request)
}

/// Names of the classes with these synsets, from the table of the ILSVRC's thousand where `words` has
/// none.
fn classes(synsets: Vec<String>, words: &BTreeMap<String, String>) -> Vec<Class> {
    let named = |synset: String| {
        let known = words.get(&synset).map(String::as_str);
        let name = known.or_else(|| ilsvrc_words(&synset)).unwrap_or(&synset);
        Class {
            name: name.to_owned(),
            synset,
        }
    };
    synsets.into_iter().map(named).collect()
}

/// Moves a share of each class, chosen by the seed, to the validation split.
fn divide(entries: Vec<Entry>, request: &SourceRequest<'_>) -> (Vec<Entry>, Vec<Entry>) {
    let philox = Philox::new(request.seed, Stream::Split);
    let (mut train, mut val) = (Vec::new(), Vec::new());
    let mut entries = entries.into_iter().peekable();
    while let Some(label) = entries.peek().map(|entry| entry.label) {
        let class: Vec<Entry> =
            std::iter::from_fn(|| entries.next_if(|entry| entry.label == label)).collect();
        let count = class.len();
        let moved = (count as f64 * request.val_fraction).round() as u64;
        let permutation = Permutation::new(count as u64, &philox, label as u64);
        for (i, entry) in class.into_iter().enumerate() {
            let side = if permutation.at(i as u64) < moved {
                &mut val
            } else {
                &mut train
            };
            side.push(entry);
        }
    }
    (train, val)
}

/// Whether a file has the name of an image. Other files of a folder without classes are ignored.
fn is_image_name(path: &Path) -> bool {
    // Formats that are not read are images too, and become rejects that say so.
    let known = [
        "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff", "avif", "heic",
        "heif", "jp2", "jxl", "ppm", "pgm", "pbm", "pnm", "tga", "ico", "psd", "dds", "exr", "hdr",
    ];
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| known.iter().any(|k| extension.eq_ignore_ascii_case(k)))
}

/// What systems, file managers and archivers leave behind, and hidden files.
fn is_clutter(name: &str) -> bool {
    matches!(
        PassedKind::by_name(name),
        Some(PassedKind::Hidden | PassedKind::System)
    )
}
