//! The request for a listing of a source.

use std::path::Path;

use super::layout::Layout;
use crate::error::PrepError;
use crate::observe::Observer;

/// Which images to list, and how.
#[derive(Clone, Copy)]
pub(crate) struct SourceRequest<'a> {
    /// Folder or file of images.
    pub(crate) source: &'a Path,
    /// The source's form; detected if `None`.
    pub(crate) layout: Option<Layout>,
    /// Folder of the dataset: no part of the source, even inside of it, and the place of unpacked images.
    pub(crate) out: &'a Path,
    /// Share of each class that becomes the split `val`.
    pub(crate) val_fraction: f64,
    /// Seed of that choice.
    pub(crate) seed: u64,
    /// Splits to leave out.
    pub(crate) without: &'a [&'static str],
    /// Whether every image must be readable where it is, for other machines: what would be unpacked is refused.
    pub(crate) in_place: bool,
    /// Whether progress is shown on standard error.
    pub(crate) progress: bool,
    /// Receives the progress, and may stop the listing.
    pub(crate) observer: &'a Observer,
}

impl SourceRequest<'_> {
    /// Refuses `file`, whose images must be unpacked, if images must be readable where they are.
    pub(super) fn may_unpack(&self, file: &Path) -> Result<(), PrepError> {
        match self.in_place {
            false => Ok(()),
            true => Err(PrepError::Source {
                path: file.to_owned(),
                message: "its images would have to be unpacked, on every machine anew: give plain tars or folders \
                          of images, or let each machine unpack for itself with `prep ingest --part i/n`"
                    .to_owned(),
            }),
        }
    }
}
