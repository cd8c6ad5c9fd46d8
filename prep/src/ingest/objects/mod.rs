//! An ingest into an object store.
//!
//! Shards are made in a local folder, a few at a time. Each becomes one object, which is created only if there is
//! none, and is then removed from the folder. The journal is what is there: see [`names`]. The manifest comes last,
//! and after it the objects of the journal are deleted, and nothing else.

mod created;
mod listing;
mod merge;
mod names;
mod part;
#[cfg(test)]
mod tests;
mod upload;
mod workspace;

pub(super) use listing::{Holds, Listing};
pub(super) use merge::merge;
pub(super) use part::{ObjectPart, Start, clear};
pub(super) use upload::SHARDS_AT_ONCE;
