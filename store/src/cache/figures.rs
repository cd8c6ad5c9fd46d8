//! What a cache has done.

use serde::{Deserialize, Serialize};

/// What the process that keeps the cache has done since it began, for all processes that use it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// Bytes that arrived, those of damaged and broken transfers included.
    pub fetched_bytes: u64,
    /// Shards that arrived whole.
    pub fetched_shards: u64,
    /// Shards that arrived damaged and were fetched again or given up.
    pub damaged: u64,
    /// Shards that could not be fetched.
    pub failed: u64,
    /// Shards that made room for others.
    pub evicted_shards: u64,
    /// Bytes of the shards that are there or on their way.
    pub held_bytes: u64,
    /// Most bytes that the cache may hold.
    pub quota_bytes: u64,
    /// Time during which at least one shard was on its way, in seconds.
    pub busy_seconds: f64,
    /// Time for which this process has waited for a keeper that did not answer, in seconds.
    #[serde(default)]
    pub silent_seconds: f64,
    /// The process that keeps the cache.
    pub keeper: u32,
}
