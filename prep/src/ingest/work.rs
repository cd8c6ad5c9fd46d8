//! A part of an ingest under way, in a folder or into an object store.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shardmill_formats::ShardMetadata;

use super::dataset::Written;
use super::journal::{IngestHeader, PartFolder, ShardLine};
use super::objects::ObjectPart;
use super::shard_work::ShardWork;
use super::{folder, merge};
use crate::error::PrepError;
use crate::shards::ShardFile;

/// The shards of a part and its journal.
pub(super) enum PartWork {
    Folder(Box<PartFolder>),
    Store(Box<ObjectPart>),
    /// One shard in a folder whose journal another process keeps.
    Shard(Box<ShardWork>),
}

impl PartWork {
    /// The folder in which shards are made.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder(work) => work.path(),
            Self::Store(part) => part.folder(),
            Self::Shard(work) => work.path(),
        }
    }

    pub(super) fn header(&self) -> &IngestHeader {
        match self {
            Self::Folder(work) => work.header(),
            Self::Store(part) => part.header(),
            Self::Shard(work) => work.header(),
        }
    }

    /// What is finished, or on its way.
    pub(super) fn lines(&self) -> &[ShardLine] {
        match self {
            Self::Folder(work) => work.lines(),
            Self::Store(part) => part.lines(),
            Self::Shard(work) => work.lines(),
        }
    }

    /// Records a finished shard, so that a later run can resume.
    pub(super) fn append(&mut self, line: ShardLine) -> Result<(), PrepError> {
        match self {
            Self::Folder(work) => work.append(line),
            Self::Store(part) => part.append(line),
            Self::Shard(work) => {
                work.append(line);
                Ok(())
            }
        }
    }

    /// Begins a shard.
    pub(super) fn create_shard(
        &self,
        name: String,
        metadata: ShardMetadata,
    ) -> Result<ShardFile, PrepError> {
        match self {
            Self::Folder(_) | Self::Store(_) => ShardFile::create(self.path(), name, metadata),
            Self::Shard(work) => work.create_shard(name, metadata),
        }
    }

    /// From now on other processes make shards: the journal stays, whatever happens to this one.
    pub(super) fn share(&mut self) {
        match self {
            Self::Folder(work) => work.keep(),
            Self::Store(part) => part.share(),
            Self::Shard(_) => {}
        }
    }

    /// Records a shard that another process made, and into an object store has recorded itself.
    ///
    /// # Errors
    /// It is not in the folder.
    pub(super) fn record(&mut self, line: ShardLine) -> Result<(), PrepError> {
        match self {
            Self::Folder(work) => {
                folder::check_shard(work, &line)?;
                work.append(line)
            }
            Self::Store(part) => {
                part.note(line);
                Ok(())
            }
            Self::Shard(work) => {
                work.append(line);
                Ok(())
            }
        }
    }

    /// Removes what lost processes left half written. `names` are the shards of the whole plan.
    pub(super) fn remove_unfinished(&self, names: &[String]) -> Result<(), PrepError> {
        match self {
            Self::Folder(work) => folder::remove_parts(work, names),
            Self::Store(_) | Self::Shard(_) => Ok(()),
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
            Self::Shard(_) => Ok(()),
        }
    }

    /// Completes the dataset of an ingest in one part.
    pub(super) fn complete(self) -> Result<Written, PrepError> {
        match self {
            Self::Folder(work) => merge::complete(*work),
            Self::Store(part) => part.complete(),
            Self::Shard(work) => Err(PrepError::Parts {
                folder: work.path().to_owned(),
                message: "one shard is no dataset".to_owned(),
            }),
        }
    }

    /// What adds to an error that finished shards are kept, where nobody can look for them after it.
    pub(super) fn kept(&self) -> Kept {
        Kept(match self {
            Self::Folder(_) | Self::Shard(_) => None,
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
