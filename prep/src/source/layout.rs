//! The layouts of sources.

use std::fmt;
use std::str::FromStr;

/// The layout of a source of images.
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

    /// A description for the user.
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
