//! The writer of the images of an export, for any format.

use std::collections::BTreeSet;

use super::sample::{Context, Sample, Unit};
use super::{folder, parquet, webdataset};
use crate::error::PrepError;
use crate::io::safe_path::{Tree, component};
use crate::source::about::ExportFormat;

/// Where the images go.
pub(super) enum Sink<'a> {
    WebDataset(webdataset::Sink<'a>),
    Folder(folder::Sink<'a>),
    Parquet(Box<parquet::Sink<'a>>),
}

impl Sink<'_> {
    /// Begins a split, of which the first units are finished.
    pub(super) fn begin(
        &mut self,
        tree: &mut Tree,
        split: &str,
        records: u64,
        units: u64,
    ) -> Result<(), PrepError> {
        match self {
            Self::WebDataset(sink) => sink.begin(split, units),
            Self::Folder(sink) => sink.begin(tree, split)?,
            Self::Parquet(sink) => sink.begin(split, records, units),
        }
        Ok(())
    }

    /// Whether the sink has to know of finished records too.
    pub(super) fn counts_all(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    /// Passes a record that is finished.
    pub(super) fn pass(&mut self, key: &str, label: i64, index: u64) -> Result<(), PrepError> {
        match self {
            Self::Folder(sink) => sink.pass(key, label, index),
            Self::WebDataset(_) | Self::Parquet(_) => Ok(()),
        }
    }

    pub(super) fn add(
        &mut self,
        tree: &mut Tree,
        sample: Sample,
    ) -> Result<Option<Unit>, PrepError> {
        match self {
            Self::WebDataset(sink) => sink.add(tree, &sample),
            Self::Folder(sink) => sink.add(tree, &sample).map(|()| None),
            Self::Parquet(sink) => sink.add(tree, sample),
        }
    }

    /// A shard of the dataset has ended.
    pub(super) fn end_shard(&mut self, tree: &Tree) -> Result<Option<Unit>, PrepError> {
        match self {
            Self::Folder(sink) => sink.end_shard(tree),
            Self::WebDataset(_) | Self::Parquet(_) => Ok(None),
        }
    }

    /// The split has ended.
    pub(super) fn end(&mut self, tree: &mut Tree) -> Result<Option<Unit>, PrepError> {
        match self {
            Self::WebDataset(sink) => sink.end(tree),
            Self::Folder(_) => Ok(None),
            Self::Parquet(sink) => sink.end(tree),
        }
    }
}

/// Names of the entries that an export has at its root, besides its own two files.
pub(super) fn entry_names(
    format: ExportFormat,
    context: &Context<'_>,
    splits: &[&str],
) -> BTreeSet<String> {
    match format {
        ExportFormat::Parquet => BTreeSet::from([parquet::FOLDER.to_owned()]),
        ExportFormat::Folder => splits.iter().map(|split| component(split)).collect(),
        ExportFormat::WebDataset => {
            let names = splits.iter().flat_map(|split| {
                let records = context.manifest.splits[*split].records;
                let tars = records.div_ceil(context.shard_records);
                (0..tars).map(|number| webdataset::tar_name(&component(split), number))
            });
            names.collect()
        }
    }
}
