//! Where the dataset of an ingest goes: a folder, or an object store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use shardmill_formats::{Manifest, errln};

use super::journal::{IngestHeader, choices};
use super::merge::read_rejects;
use super::objects::{Holds, Listing, ObjectPart, Start};
use super::options::IngestOptions;
use super::work::PartWork;
use super::{folder, objects};
use crate::error::PrepError;
use crate::io::{FolderState, Place};
use crate::reject::RejectLine;
use crate::shards::read_manifest;

/// An output and what it holds when the ingest begins.
pub(super) enum Output {
    Folder(PathBuf, FolderState),
    Store(Listing, Holds),
}

impl Output {
    /// # Errors
    /// It holds neither an unfinished ingest nor a dataset, or cannot be written to.
    pub(super) fn look(out: &Path) -> Result<Self, PrepError> {
        match Place::new(out)? {
            Place::Folder(folder) => {
                let state = folder::look(&folder)?;
                Ok(Self::Folder(folder, state))
            }
            Place::Store(store) => {
                check_is_writable(store.address())?;
                let listing = Listing::new(&store)?;
                let holds = listing.holds()?;
                Ok(Self::Store(listing, holds))
            }
        }
    }

    /// Whether it holds a whole dataset.
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::Folder(_, state) => *state == FolderState::Finished,
            Self::Store(_, holds) => *holds == Holds::Manifest,
        }
    }

    /// Refuses a dataset that differs in its options. `ours` is the manifest as far as the options determine it.
    pub(super) fn check_options(&self, ours: &Manifest) -> Result<(), PrepError> {
        let (_, theirs) = read_manifest(&self.place())?;
        match choices(ours).changed_from(&choices(&theirs)) {
            None => Ok(()),
            Some(what) => Err(self.other(what)),
        }
    }

    /// The dataset that is there, which the plan with this fingerprint must have made of these shards, and its
    /// rejects.
    ///
    /// # Errors
    /// Another dataset, or one whose shards contradict its manifest.
    pub(super) fn finished(
        &self,
        fingerprint: &str,
        names: &[String],
        options: &IngestOptions,
    ) -> Result<(Manifest, Vec<RejectLine>), PrepError> {
        let planned: BTreeSet<String> = names.iter().cloned().collect();
        let place = self.place();
        let manifest = match self {
            Self::Folder(..) => folder::finished(&place, fingerprint, &planned)?,
            Self::Store(listing, _) => listing.finished(fingerprint, &planned)?,
        };
        let manifest = manifest.ok_or_else(|| {
            let what = "it has other images or labels, or another --shard-records, --without, --val-fraction or --check";
            self.other(what.to_owned())
        })?;
        if let Self::Store(listing, _) = self {
            let parent = options.work_parent();
            objects::clear(
                &listing.store(),
                fingerprint,
                options.part,
                &parent,
                &planned,
            );
        }
        let rejects = read_rejects(&place, &manifest)?;
        Ok((manifest, rejects))
    }

    /// Begins or resumes the part that `header` describes. `names` are the shards of the whole plan.
    pub(super) fn take(
        self,
        header: IngestHeader,
        names: &[String],
        options: &IngestOptions,
    ) -> Result<PartWork, PrepError> {
        match self {
            Self::Folder(folder, state) => {
                let journals = match state {
                    FolderState::Unfinished(journals) => journals,
                    FolderState::Empty | FolderState::Finished => Vec::new(),
                };
                let part = folder::take(&folder, &journals, header, names)?;
                Ok(PartWork::Folder(Box::new(part)))
            }
            Self::Store(listing, _) => {
                let part = ObjectPart::take(Start {
                    listing,
                    header,
                    parent: &options.work_parent(),
                })?;
                if options.progress {
                    errln!(
                        "shards are made in {} and removed there once they are uploaded",
                        part.folder().display()
                    );
                }
                Ok(PartWork::Store(Box::new(part)))
            }
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Folder(folder, _) => Place::Folder(folder.clone()),
            Self::Store(listing, _) => Place::Store(listing.store()),
        }
    }

    fn other(&self, what: String) -> PrepError {
        let folder = match self {
            Self::Folder(folder, _) => folder.clone(),
            Self::Store(listing, _) => listing.address().into(),
        };
        PrepError::OtherResult { folder, what }
    }
}

/// A web server takes no objects; the addresses of stores that begin so have others.
fn check_is_writable(address: &str) -> Result<(), PrepError> {
    let scheme = address.split(':').next().unwrap_or_default();
    if !["http", "https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web))
    {
        return Ok(());
    }
    Err(PrepError::Source {
        path: address.into(),
        message:
            "this address can be read and not be written: give one that begins with s3, gs or az"
                .to_owned(),
    })
}
