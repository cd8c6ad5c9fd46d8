//! Errors that stop a command.

use std::io;
use std::path::{Path, PathBuf};

use shardmill_formats::{CodecError, ManifestError, ShardError, WriteError};
use shardmill_store::StoreError;

use crate::part::Part;

/// An error of `prep`; what is wrong with single images is a [`Reject`](crate::Reject) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepError {
    /// A file or folder could not be used.
    #[error("{}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// An object store did not give or take what was asked of it.
    #[error(transparent)]
    Store(StoreError),
    /// The source is no folder of images.
    #[error("{} is not a folder of images: give the folder that holds the class folders, or `train/` and `val/`, or the official tars, or Kaggle's ILSVRC, or WebDataset's tars, or Parquet files; or a .csv or .tsv list", .0.display())]
    NotAFolder(PathBuf),
    /// The source has no class folder.
    #[error(
        "{} holds no class folders: expected {}/train/<class>/<image> or {}/<class>/<image>",
        .0.display(), .0.display(), .0.display()
    )]
    NoClasses(PathBuf),
    /// The source has no image.
    #[error("{}: {message}", path.display())]
    NoImages {
        /// The source.
        path: PathBuf,
        /// What is missing.
        message: String,
    },
    /// A split has a class that the training split lacks.
    #[error(
        "class folder {class:?} is in {split}/ but not in train/: labels come from train/, so move or remove it"
    )]
    UnknownClass {
        /// The folder.
        class: String,
        /// The split that it is in.
        split: &'static str,
    },
    /// The output folder is not empty.
    #[error("{} exists and is not empty: choose another --out, or remove it first", .0.display())]
    OutputInUse(PathBuf),
    /// The output folder holds other unfinished work.
    #[error(
        "{} holds unfinished work with other arguments ({what}): repeat the command that began it, choose another --out, or remove the folder",
        folder.display()
    )]
    OtherWork {
        /// The output folder.
        folder: PathBuf,
        /// How it differs.
        what: String,
    },
    /// The output folder holds another finished dataset or export.
    #[error(
        "{} holds another finished dataset or export ({what}): choose another --out, or remove it first",
        folder.display()
    )]
    OtherResult {
        /// The output folder.
        folder: PathBuf,
        /// How it differs.
        what: String,
    },
    /// A link, or something else that prep did not make, has the name of a file to be written.
    #[error(
        "{} exists and is not a plain file that prep wrote (perhaps a link); prep neither follows nor changes it: move it away, or choose another --out",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// [`ingest`](crate::ingest()) was called for one part of an ingest.
    #[error(
        "part {0} alone is not a complete dataset: leave the part out, or make it with `ingest_part` and call `merge` when every part is finished"
    )]
    OnePart(Part),
    /// Parts of an ingest are missing or unfinished.
    #[error("{}: {message}", folder.display())]
    Parts {
        /// The output folder.
        folder: PathBuf,
        /// Which parts, and what to do.
        message: String,
    },
    /// A file cannot be used.
    #[error("{}: {message}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The disk has too little free space.
    #[error(
        "{} has {available} MB free, but about {needed} MB are needed: free some space, {advice}, or proceed anyway with --ignore-free-space",
        path.display()
    )]
    DiskFull {
        /// The disk's nearest existing folder.
        path: PathBuf,
        /// Megabytes needed.
        needed: u64,
        /// Megabytes free.
        available: u64,
        /// How to need less space.
        advice: &'static str,
    },
    /// An option has an invalid value.
    #[error("--{option} {found}: {expected}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What is valid.
        expected: String,
    },
    /// Every image was rejected.
    #[error("none of the {images} images could be used: {rejects}")]
    AllRejected {
        /// Number of images.
        images: u64,
        /// The first of them, each with its reason, in words.
        rejects: String,
    },
    /// An image was rejected, and the options say to stop.
    #[error(
        "{key}: {message} ({reason}): repair it and repeat the command; or remove it and start over with another --out, since that changes the plan of the shards; or omit --on-error stop"
    )]
    Rejected {
        /// Key of the image.
        key: String,
        /// Short name of the reason.
        reason: String,
        /// The whole reason.
        message: String,
    },
    /// Too many images were rejected.
    #[error(
        "more than {limit} images could not be used ({reasons}): look at the source, or raise --max-rejects; {rejects}"
    )]
    TooManyRejects {
        /// The limit.
        limit: u64,
        /// Counts by reason, in words.
        reasons: String,
        /// The first of them, each with its reason, in words.
        rejects: String,
    },
    /// The manifest is not valid.
    #[error("{}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
    /// A shard is damaged.
    #[error("{} is damaged, or a shard of another dataset (`prep verify` shows all that is wrong)", path.display())]
    Shard {
        /// The shard.
        path: PathBuf,
        /// What is wrong.
        source: ShardError,
    },
    /// A shard contradicts its manifest.
    #[error(
        "{}: its {what} is {found}; the manifest says {expected}: was it cut short, or a shard of another dataset copied here?",
        path.display()
    )]
    Contradiction {
        /// The shard.
        path: PathBuf,
        /// Which property.
        what: &'static str,
        /// The shard's value.
        found: String,
        /// The manifest's value.
        expected: String,
    },
    /// The dataset has no such key, class or split.
    #[error("there is no {what} {found:?}; {hint}")]
    Unknown {
        /// What was searched for: a key, a class, a split.
        what: &'static str,
        /// The name.
        found: String,
        /// Similar names, or all there are.
        hint: String,
    },
    /// A record number is out of range.
    #[error("--index {index}: split {split:?} holds {records} records, so give 0 to {}", records.saturating_sub(1))]
    Index {
        /// The number.
        index: u64,
        /// The split.
        split: String,
        /// Number of its records.
        records: u64,
    },
    /// A file exists already.
    #[error("{} exists: choose another name, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// A link or a file in the output folder has the name of a folder to be made.
    #[error("{} is not a real folder (perhaps a link), so nothing is written into it: choose another --out", .0.display())]
    NotInside(PathBuf),
    /// No record would be written.
    #[error("no record is left: {0}")]
    NothingLeft(String),
    /// A record could not be encoded or decoded.
    #[error("{place}")]
    Codec {
        /// Shard and record, or key.
        place: String,
        /// What is wrong.
        source: CodecError,
    },
    /// A shard could not be written.
    #[error("{}", path.display())]
    Write {
        /// The shard.
        path: PathBuf,
        /// What is wrong.
        source: WriteError,
    },
    /// The folder for a [`DatasetWriter`](crate::DatasetWriter) is not empty.
    #[error("{} {holds}: give a new folder, or remove it first", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        holds: &'static str,
    },
    /// A sample of a [`DatasetWriter`](crate::DatasetWriter) cannot become a record.
    #[error("sample {key:?} of split {split:?}: {message}")]
    Sample {
        /// The split.
        split: String,
        /// The sample's key.
        key: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A [`DatasetWriter`](crate::DatasetWriter) was used after an error had stopped it.
    #[error("an earlier error stopped this writer: write the dataset again with a new writer")]
    WriterStopped,
    /// The [observer](crate::Observe) stopped the work.
    #[error(
        "stopped before the end, as asked: the same call resumes what is finished, or starts over if nothing is"
    )]
    Stopped,
    /// An ingest into an object store stopped after it had begun.
    #[error(
        "the ingest stopped; what is finished is kept in {address}, and the same command resumes it"
    )]
    Kept {
        /// The address.
        address: String,
        /// Why it stopped.
        source: Box<PrepError>,
    },
    /// The thread pool could not be started.
    #[error("cannot start {threads} threads: {message}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        message: String,
    },
}

impl PrepError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
