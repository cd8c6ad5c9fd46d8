//! Why a whole command stops.

use std::io;
use std::path::{Path, PathBuf};

use shardmill_formats::{CodecError, ManifestError, ShardError, WriteError};

use crate::part::Part;

/// An error of `prep`; what is wrong with single images is a [`Reject`](crate::Reject) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepError {
    /// A file or folder refused.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No such folder.
    #[error("{} is not a folder of images: give the folder that holds the class folders, or `train/` and `val/`, or the official tars, or Kaggle's ILSVRC, or WebDataset's tars, or Parquet files; or a .csv or .tsv list", .0.display())]
    NotAFolder(PathBuf),
    /// No class folder.
    #[error(
        "{} holds no class folders: expected {}/train/<class>/<image> or {}/<class>/<image>",
        .0.display(), .0.display(), .0.display()
    )]
    NoClasses(PathBuf),
    /// A source without an image.
    #[error("{}: {message}", path.display())]
    NoImages {
        /// The source.
        path: PathBuf,
        /// What of it is empty.
        message: String,
    },
    /// A class of another split that training does not know.
    #[error(
        "class folder {class:?} is in {split}/ but not in train/: labels come from train/, so move or remove it"
    )]
    UnknownClass {
        /// The folder.
        class: String,
        /// The split that it is in.
        split: &'static str,
    },
    /// The output folder holds something.
    #[error("{} exists and is not empty: choose another --out, or remove it first", .0.display())]
    OutputInUse(PathBuf),
    /// The output folder holds work that did not end and is not this.
    #[error(
        "{} holds work that did not end, and it is not this ({what}): go on with the arguments it was begun with, choose another --out, or remove the folder",
        folder.display()
    )]
    OtherWork {
        /// The output folder.
        folder: PathBuf,
        /// How it differs.
        what: String,
    },
    /// The output folder holds something finished that is not what would be made.
    #[error(
        "{} is not empty: it holds a finished dataset or export, and not the one that would be made ({what}): choose another --out, or remove it first",
        folder.display()
    )]
    OtherResult {
        /// The output folder.
        folder: PathBuf,
        /// How it differs.
        what: String,
    },
    /// A link, or something else that was not made here, stands where a file of ours should.
    #[error(
        "{} is there already, and no plain file of prep (a link, perhaps): it is neither followed nor changed; move it away, or choose another --out",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// A whole dataset was asked of a part of the work.
    #[error(
        "part {0} alone completes no dataset: leave the part out, or make it with `ingest_part`, and `merge` when every part is there"
    )]
    OnePart(Part),
    /// Parts of an ingest are missing or unfinished.
    #[error("{}: {message}", folder.display())]
    Parts {
        /// The output folder.
        folder: PathBuf,
        /// Which, and what to do.
        message: String,
    },
    /// A file of the source makes no sense.
    #[error("{}: {message}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Not enough room.
    #[error(
        "{} has {available} MB free, but about {needed} MB are needed: free some space, {advice}, or go on in spite of it with --ignore-free-space",
        path.display()
    )]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// Megabytes needed.
        needed: u64,
        /// Megabytes free.
        available: u64,
        /// What takes less room.
        advice: &'static str,
    },
    /// An option without meaning.
    #[error("--{option} {found}: {expected}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What was wanted.
        expected: String,
    },
    /// Every image was a reject.
    #[error("none of the {images} images could be used: {rejects}")]
    AllRejected {
        /// Number of images.
        images: u64,
        /// The first of them, each with its reason, in words.
        rejects: String,
    },
    /// A reject, where none is wanted.
    #[error(
        "{key}: {message} ({reason}): repair it and give the same command again; or remove it and begin again with another --out, since the plan of the shards is another then; or leave out --on-error stop"
    )]
    Rejected {
        /// Key of the image.
        key: String,
        /// Short name of the reason.
        reason: String,
        /// The whole reason.
        message: String,
    },
    /// More rejects than are put up with.
    #[error(
        "more than {limit} images could not be used ({reasons}): look at the source, or raise --max-rejects; {rejects}"
    )]
    TooManyRejects {
        /// Most allowed.
        limit: u64,
        /// Counts by reason, in words.
        reasons: String,
        /// The first of them, each with its reason, in words.
        rejects: String,
    },
    /// The manifest is not one.
    #[error("{}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
    /// A shard is not what it should be.
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
    /// A name that the dataset does not hold.
    #[error("there is no {what} {found:?}; {hint}")]
    Unknown {
        /// What was looked for: a key, a class, a split.
        what: &'static str,
        /// The name.
        found: String,
        /// Names that come near it, or all there are.
        hint: String,
    },
    /// A record number past the end.
    #[error("--index {index}: split {split:?} holds {records} records, so give 0 to {}", records.saturating_sub(1))]
    Index {
        /// The number.
        index: u64,
        /// The split.
        split: String,
        /// Number of its records.
        records: u64,
    },
    /// A file is there already.
    #[error("{} exists: choose another name, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// Something below the output folder is a link or a file where a folder should be.
    #[error("{} is not a folder of its own (a link, perhaps), so nothing is written into it: choose another --out", .0.display())]
    NotInside(PathBuf),
    /// Nothing would be written.
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
    /// The folder of a [`DatasetWriter`](crate::DatasetWriter) holds something.
    #[error("{} {holds}: give a new folder, or remove it first", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        holds: &'static str,
    },
    /// A sample that a program gave cannot be a record.
    #[error("sample {key:?} of split {split:?}: {message}")]
    Sample {
        /// The split.
        split: String,
        /// The sample's key.
        key: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A sample for a writer that an error has stopped.
    #[error("this writer was stopped by an earlier error: write the dataset again with a new one")]
    WriterStopped,
    /// Whoever [observes](crate::Observe) the work said that it is to stop.
    #[error(
        "stopped before the end, as asked: the same call goes on from what is finished, or begins again where nothing is"
    )]
    Stopped,
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
