//! Why bytes are not a shard.

use crate::key::KeyError;

/// What is wrong with a shard. The caller knows the file's name and adds it. As with all errors here, the
/// text leaves out the cause: see [`Causes`](crate::Causes).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// The file ends too early.
    #[error("{expected} bytes are needed for {what}, but the file has {found}: it was cut short")]
    Truncated {
        /// What does not fit.
        what: &'static str,
        /// Bytes that the file would need.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// The header is longer than a reader accepts.
    #[error("the header claims {found} bytes; at most {limit} are allowed")]
    HeaderTooLong {
        /// Bytes claimed.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The data does not begin on a page.
    #[error("data begins at byte {found}, which is not a multiple of {alignment}")]
    DataMisaligned {
        /// Where it begins.
        found: u64,
        /// The alignment wanted.
        alignment: u64,
    },
    /// The header is not the JSON object that safetensors wants.
    #[error("the header is not valid: {0}")]
    Header(String),
    /// A metadata entry is missing or makes no sense.
    #[error("metadata {key:?} is {found}; expected {expected}")]
    Metadata {
        /// The entry.
        key: &'static str,
        /// Its value, or "missing".
        found: String,
        /// What was wanted.
        expected: String,
    },
    /// Another major version.
    #[error(
        "format version {found} cannot be read by this version, which reads {major}.x: use a newer Shardmill"
    )]
    Version {
        /// The shard's version.
        found: String,
        /// The major version read here.
        major: u32,
    },
    /// A tensor that the codec needs is not there.
    #[error("tensor {name:?} is missing")]
    MissingTensor {
        /// Its name.
        name: &'static str,
    },
    /// A tensor has the wrong type, shape, size or place.
    #[error("tensor {name:?}: {what} is {found}; expected {expected}")]
    Tensor {
        /// Its name.
        name: String,
        /// Which property.
        what: &'static str,
        /// What the header says.
        found: String,
        /// What was wanted.
        expected: String,
    },
    /// Offsets that do not rise from 0 to the end.
    #[error("record {record}: {name} go from {start} to {end}; they must rise from 0 to {limit}")]
    Offsets {
        /// The tensor.
        name: &'static str,
        /// The record that the bounds belong to.
        record: usize,
        /// Its lower bound.
        start: i64,
        /// Its upper bound.
        end: i64,
        /// The length of what they point into.
        limit: u64,
    },
    /// A label that is not a class.
    #[error(
        "record {record}: label {label} is not one of the {classes} classes (or -1 throughout)"
    )]
    Label {
        /// The record.
        record: usize,
        /// Its label.
        label: i64,
        /// Number of classes.
        classes: u64,
    },
    /// A key that breaks the rules.
    #[error("record {record} has a bad key")]
    Key {
        /// The record.
        record: usize,
        /// The rule that it breaks.
        source: KeyError,
    },
    /// A record whose bytes have changed since they were written.
    #[error(
        "record {record} (key {key:?}): CRC-32C of the stored bytes is {found:08x}; expected {expected:08x}: the data is damaged"
    )]
    Checksum {
        /// The record.
        record: usize,
        /// Its key.
        key: String,
        /// The checksum stored.
        expected: u32,
        /// The checksum of the bytes.
        found: u32,
    },
    /// Header, labels, keys or offsets that have changed since they were written.
    #[error(
        "CRC-32C of the header and index is {found:08x}; the manifest says {expected:08x}: the file is damaged or is not this dataset's"
    )]
    IndexChecksum {
        /// The manifest's value.
        expected: u32,
        /// The file's.
        found: u32,
    },
}
