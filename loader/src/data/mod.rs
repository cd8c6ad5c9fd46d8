//! Datasets on disk: opened, validated, mapped, and read in any order.

mod dataset;
mod manifest;
mod mix;
mod mmap;
mod reading;
mod shard;

pub use dataset::Dataset;
pub use manifest::read_manifest;
pub use mix::Mix;
pub use reading::{Advice, BadRecord, Replaced, Verify};
