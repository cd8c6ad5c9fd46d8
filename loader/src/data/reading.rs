//! How records are read.

/// Whether a record's bytes are compared with their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verify {
    /// When a process first reads the record.
    #[default]
    FirstRead,
    /// Never. Damage silently becomes wrong pixels unless a decoder notices it. Use it when something
    /// else has verified the shards, such as `prep verify`.
    Never,
}

/// What happens when a record is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRecord {
    /// The epoch ends with an error that names shard, record and key.
    #[default]
    Stop,
    /// Another sample replaces it. (seed, epoch, sample) determine which, so it is the same for any
    /// number of threads. [`Batch::replaced`](crate::Batch::replaced) lists the replacements, and
    /// [`Meter::replaced`](crate::Meter::replaced) counts them.
    Replace,
}

/// When the system is asked to read the next records ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Until the loader has read an epoch from its first batch to its last; always if the shards are
    /// larger than the available memory.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never. A record that is not in memory is read page by page when it is needed.
    Never,
}

/// A sample that replaced a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// Its place in the batch.
    pub place: usize,
    /// Index of the damaged sample.
    pub bad: u64,
    /// Index of the sample that replaced it.
    pub by: u64,
}
