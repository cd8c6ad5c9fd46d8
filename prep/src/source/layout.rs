//! What form a source has.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use super::archive::Packing;
use super::passed::PassedKind;
use super::tree::{Item, Tree};
use super::{kaggle, official, packed, parquet, split, webdataset};
use crate::error::PrepError;

/// A form that image sets come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// `train/<class>/*` with an optional `val/<class>/*` and `test/*`, or `<class>/*`.
    ClassFolders,
    /// The tars that the ILSVRC 2012 is distributed as, and its development kit.
    Official,
    /// The ILSVRC 2012 as Kaggle packs it.
    Kaggle,
    /// A CSV or TSV file of paths and labels.
    List,
    /// WebDataset's tars of images beside `.cls` or `.json`, plain or compressed.
    WebDataset,
    /// Parquet files as Hugging Face writes them.
    Parquet,
    /// A folder of images without classes: one split `test` without labels.
    Unlabelled,
}

impl Layout {
    /// Every layout, in the order of the help text.
    pub const ALL: [Self; 7] = [
        Self::ClassFolders,
        Self::Official,
        Self::Kaggle,
        Self::List,
        Self::WebDataset,
        Self::Parquet,
        Self::Unlabelled,
    ];

    /// The name that `--layout` and the manifest know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClassFolders => "class-folders",
            Self::Official => "official-tars",
            Self::Kaggle => "kaggle",
            Self::List => "list",
            Self::WebDataset => "webdataset",
            Self::Parquet => "parquet",
            Self::Unlabelled => "unlabelled",
        }
    }

    /// One sentence for a person.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::ClassFolders => "folders named by class",
            Self::Official => "the official ILSVRC2012 tars, read in place",
            Self::Kaggle => "Kaggle's ILSVRC folder with its CSV files",
            Self::List => "a list of paths and labels",
            Self::WebDataset => "WebDataset's tars, plain, gzip or zstd",
            Self::Parquet => "Hugging Face's Parquet files",
            Self::Unlabelled => "a folder of images without classes",
        }
    }

    /// Recognises a source by looking at it. `out` is the output folder, which is no part of the source
    /// where it lies inside of it.
    ///
    /// # Errors
    /// A path that is not there, a file or folder of no known form; the error says what was expected.
    pub fn recognise(source: &Path, out: &Path) -> Result<Self, PrepError> {
        let data = fs::metadata(source).map_err(|_| PrepError::NotAFolder(source.to_owned()))?;
        if data.is_file() {
            let name = source.file_name().unwrap_or_default().to_string_lossy();
            let extension = source.extension().unwrap_or_default().to_string_lossy();
            return match extension.to_ascii_lowercase().as_str() {
                "csv" | "tsv" => Ok(Self::List),
                "parquet" => Ok(Self::Parquet),
                _ if Packing::of(&name).is_some() => Ok(Self::WebDataset),
                _ => Err(PrepError::NotAFolder(source.to_owned())),
            };
        }
        if official::is_here(source) {
            Ok(Self::Official)
        } else if kaggle::root(source).is_some() {
            Ok(Self::Kaggle)
        } else if !source.join("train").is_dir() && parquet::is_here(source)
            || packed::are_in_splits(source, parquet::fits)?
        {
            Ok(Self::Parquet)
        } else if packed::are_in_splits(source, webdataset::fits)? {
            Ok(Self::WebDataset)
        } else if has_class_folders(source, out)? {
            Ok(Self::ClassFolders)
        } else if !packed::files(source, webdataset::fits)?.is_empty() {
            Ok(Self::WebDataset)
        } else if super::folders::holds_images(source)? {
            Ok(Self::Unlabelled)
        } else {
            Err(PrepError::NoClasses(source.to_owned()))
        }
    }
}

/// Whether there are folders, and not only beside tars: those are the set then, unless a folder holds
/// images.
fn has_class_folders(source: &Path, out: &Path) -> Result<bool, PrepError> {
    let tree = Tree::new(source, out);
    let level = tree.level(source)?;
    if packed::files(source, webdataset::fits)?.is_empty() {
        return Ok(!level.folders.is_empty());
    }
    for folder in &level.folders {
        let inside = tree.level(&folder.path)?;
        let image = |file: &Item| PassedKind::by_name(&file.name).is_none();
        let classes = split::of_folder(&folder.name).is_some() && !inside.folders.is_empty();
        if classes || inside.files.iter().any(image) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|layout| layout.name() == text)
            .ok_or_else(|| format!("not a layout; there are {}", known.join(", ")))
    }
}
