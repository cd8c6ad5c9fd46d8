//! Why an image cannot become a record. A reject is data: it is counted and named, never skipped.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::choice::choice;

/// Reason of a reject; [`code`](Self::code) is what `rejects.jsonl` and the summary name it by.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[non_exhaustive]
pub enum Reject {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// No known image format begins like this.
    #[error("the file is not an image of a known format")]
    NotAnImage,
    /// The data ends before the picture does.
    #[error("the image data ends too early")]
    Truncated,
    /// More pixels than are decoded, checked before memory is taken.
    #[error("the image has {width}x{height} pixels, more than the limit of {limit}")]
    TooLarge {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Most pixels allowed.
        limit: usize,
    },
    /// The file is too long.
    #[error("the file has more than {limit} bytes")]
    TooLong {
        /// Most bytes allowed.
        limit: u64,
    },
    /// A JPEG variant that no decoder here reads.
    // Only a decoder finds it, so no listing names it.
    #[serde(skip)]
    #[error("{0} JPEG is not supported")]
    UnsupportedJpeg(#[serde(skip)] &'static str),
    /// An image format, or a variant of one, that no decoder here reads.
    #[error("{0} is not supported")]
    UnsupportedFormat(Cow<'static, str>),
    /// The decoder failed, which is a bug and says nothing about the image.
    #[error("the decoder failed over it, please report this: {0}")]
    DecoderFault(String),
    /// The decoder refused.
    #[error("the image cannot be decoded: {0}")]
    Damaged(String),
    /// The file that a list names, or a link leads to, does not exist.
    #[error("{0}")]
    Missing(String),
    /// A FIFO, a socket, a device or a folder where a file should be.
    #[error("it is not a plain file: {0}")]
    NotAFile(String),
    /// The archive ends within the file.
    #[error("the archive ends inside of it: {0}")]
    Cut(String),
    /// The file's name cannot be a key.
    #[error("the name cannot be a key: {0}")]
    Name(String),
}

impl Reject {
    /// A short, stable name of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAnImage => "not-an-image",
            Self::Truncated => "truncated",
            Self::TooLarge { .. } => "too-large",
            Self::TooLong { .. } => "too-long",
            Self::UnsupportedJpeg(_) => "unsupported-jpeg",
            Self::UnsupportedFormat(_) => "unsupported-format",
            Self::DecoderFault(_) => "decoder-fault",
            Self::Damaged(_) => "damaged",
            Self::Missing(_) => "missing",
            Self::NotAFile(_) => "not-a-file",
            Self::Cut(_) => "cut",
            Self::Name(_) => "bad-name",
        }
    }
}

choice! {
    /// What happens when an image cannot become a record.
    OnError, "on-error" {
        /// The image is listed in `rejects.jsonl`, and the ingest continues.
        #[default]
        Reject = "reject",
        /// The ingest stops.
        Stop = "stop",
    }
}

/// A line of `rejects.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectLine {
    /// The image's name, relative to the source.
    pub key: String,
    /// [`Reject::code`].
    pub reason: Cow<'static, str>,
    /// The whole reason.
    pub message: String,
}

impl RejectLine {
    pub(crate) fn new(key: &str, reject: &Reject) -> Self {
        Self {
            key: key.to_owned(),
            reason: reject.code().into(),
            message: reject.to_string(),
        }
    }
}

/// An image that became a record, but with a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarningLine {
    /// The image's name, relative to the source.
    pub key: String,
    /// [`Warning::code`](crate::decode::Warning::code).
    pub warning: Cow<'static, str>,
}

/// The first of some rejects with their reasons, and how many more there are, for an error.
pub(crate) fn first_ones(lines: &[RejectLine]) -> String {
    const FIRST: usize = 10;
    let first = lines.iter().take(FIRST);
    let first: Vec<String> = first
        .map(|line| format!("{}: {}", line.key, line.message))
        .collect();
    let more = match lines.len().saturating_sub(FIRST) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    first.join("; ") + &more
}

/// Number of rejects for each reason.
pub(crate) fn count_by_reason(lines: &[RejectLine]) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(&*line.reason).or_default() += 1;
    }
    counts
}
