//! What an export says of itself, so that an ingest of it gives the same classes and keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shardmill_formats::Class;

use crate::error::PrepError;
use crate::io::file;

/// Name of the file at the root of every export, written last.
pub(crate) const ABOUT_FILE: &str = "shardmill.json";
/// Name of the file in an export of folders with the keys that paths do not say: path, tab, key.
pub(crate) const KEYS_FILE: &str = "keys.tsv";
/// Version of what these hold.
pub(crate) const VERSION: u32 = 1;

/// Longest description that is read, in bytes.
const LONGEST_ABOUT: u64 = 64 << 20;

/// A form that other tools read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// Tar files of `NUMBER.jpg`, `NUMBER.cls` and `NUMBER.json`, as `webdataset` reads them.
    WebDataset,
    /// `SPLIT/SYNSET/NAME.jpg`, as torchvision's `ImageFolder` and `prep ingest` read it.
    Folder,
    /// Parquet files with the columns `image` and `label`, as Hugging Face `datasets` reads them.
    Parquet,
}

impl ExportFormat {
    pub(crate) const ALL: [Self; 3] = [Self::WebDataset, Self::Folder, Self::Parquet];

    /// The name of the option's value.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WebDataset => "webdataset",
            Self::Folder => "folder",
            Self::Parquet => "parquet",
        }
    }
}

impl FromStr for ExportFormat {
    type Err = PrepError;

    fn from_str(name: &str) -> Result<Self, PrepError> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| PrepError::Option {
            option: "to",
            found: name.to_owned(),
            expected: "give webdataset, folder or parquet".to_owned(),
        })
    }
}

/// What [`ABOUT_FILE`] holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) version: u32,
    pub(crate) format: ExportFormat,
    /// Identifies the dataset and the options.
    pub(crate) fingerprint: String,
    pub(crate) splits: BTreeMap<String, SplitAbout>,
    /// Files of images, or with images in them.
    pub(crate) files: u64,
    /// Bytes of the images.
    pub(crate) image_bytes: u64,
    pub(crate) classes: Vec<Class>,
    /// Folder of each class, in an export of folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) folders: Vec<String>,
}

/// A split of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SplitAbout {
    pub(crate) records: u64,
    pub(crate) labelled: bool,
}

/// Reads the description of an export; `None` if the file is none, or of another version.
pub(crate) fn read_about(path: &Path) -> Result<Option<About>, PrepError> {
    use std::io::Read;

    let mut bytes = Vec::new();
    file::open_to_read(path)?
        .take(LONGEST_ABOUT + 1)
        .read_to_end(&mut bytes)
        .map_err(PrepError::io(path))?;
    if bytes.len() as u64 > LONGEST_ABOUT {
        return Ok(None);
    }
    let about = serde_json::from_slice::<About>(&bytes).ok();
    Ok(about.filter(|about| about.version == VERSION))
}
