//! An image on its way into an export, and what of it is finished.

use shardmill_formats::Manifest;

/// An image on its way out.
pub(super) struct Sample {
    /// 0-based number in its split.
    pub(super) index: u64,
    pub(super) key: String,
    /// Class, -1 without one.
    pub(super) label: i64,
    pub(super) image: Vec<u8>,
}

/// What every sink needs to know of the dataset.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) manifest: &'a Manifest,
    /// `jpg` or `png`.
    pub(super) extension: &'static str,
    pub(super) shard_records: u64,
}

/// What is finished and lasting: files, and the images in them.
#[derive(Default)]
pub(super) struct Unit {
    pub(super) records: u64,
    pub(super) files: u64,
    pub(super) image_bytes: u64,
}
