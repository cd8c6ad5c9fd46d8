//! A part of an ingest under way, in a folder or into an object store.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::dataset::Written;
use super::journal::{IngestHeader, PartFolder, ShardLine};
use super::merge;
use super::objects::ObjectPart;
use crate::error::PrepError;

/// The shards of a part and its journal.
pub(super) enum PartWork {
    Folder(Box<PartFolder>),
    Store(Box<ObjectPart>),
}

impl PartWork {
    /// The folder in which shards are made.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder(work) => work.path(),
            Self::Store(part) => part.folder(),
        }
    }

    pub(super) fn header(&self) -> &IngestHeader {
        match self {
            Self::Folder(work) => work.header(),
            Self::Store(part) => part.header(),
        }
    }

    /// What is finished, or on its way.
    pub(super) fn lines(&self) -> &[ShardLine] {
        match self {
            Self::Folder(work) => work.lines(),
            Self::Store(part) => part.lines(),
        }
    }

    /// Records a finished shard, so that a later run can resume.
    pub(super) fn append(&mut self, line: ShardLine) -> Result<(), PrepError> {
        match self {
            Self::Folder(work) => work.append(line),
            Self::Store(part) => part.append(line),
        }
    }

    /// Every shard of the part is made. A part without shards counts too: the merge waits for it.
    pub(super) fn keep(&mut self) -> Result<(), PrepError> {
        match self {
            Self::Folder(work) => {
                work.keep();
                Ok(())
            }
            Self::Store(part) => part.finish(),
        }
    }

    /// Completes the dataset of an ingest in one part.
    pub(super) fn complete(self) -> Result<Written, PrepError> {
        match self {
            Self::Folder(work) => merge::complete(*work),
            Self::Store(part) => part.complete(),
        }
    }

    /// What adds to an error that finished shards are kept, where nobody can look for them after it.
    pub(super) fn kept(&self) -> Kept {
        Kept(match self {
            Self::Folder(_) => None,
            Self::Store(part) => Some((part.address().to_owned(), part.begun())),
        })
    }
}

/// Where an ingest keeps what is finished, and whether there is anything.
pub(super) struct Kept(Option<(String, Arc<AtomicBool>)>);

impl Kept {
    pub(super) fn explain(self, error: PrepError) -> PrepError {
        match (self.0, error) {
            (Some((address, begun)), error)
                if begun.load(Ordering::Relaxed) && !matches!(error, PrepError::Stopped) =>
            {
                PrepError::Kept {
                    address,
                    source: Box::new(error),
                }
            }
            (_, error) => error,
        }
    }
}
