//! Datasets on disk and in object stores: opened, validated, mapped, and read in any order.

mod cached;
mod dataset;
mod manifest;
mod mix;
mod mmap;
mod place;
mod reading;
mod runs;
mod shard;

pub use cached::CacheOptions;
pub use dataset::Dataset;
pub use manifest::read_manifest;
pub use mix::Mix;
pub use reading::{Advice, BadRecord, Replaced, Stored, Verify};

pub(crate) use cached::CachedSplit;
pub(crate) use reading::Access;
pub(crate) use runs::ShardRuns;
