//! How records are read.

/// Whether the bytes of a record are compared with their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verify {
    /// When a process first reads the record.
    #[default]
    FirstRead,
    /// Never: damage becomes wrong pixels in silence, except where a decoder notices it. Use it
    /// where something else has verified the shards, `prep verify` for instance.
    Never,
}

/// What becomes of a record that is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRecord {
    /// The epoch ends with an error that names shard, record and key.
    #[default]
    Stop,
    /// Another sample takes its place: one drawn from (seed, epoch, sample), so that it is the same
    /// for any number of threads. [`Batch::replaced`](crate::Batch::replaced) lists them, and
    /// [`Meter::replaced`](crate::Meter::replaced) counts them.
    Replace,
}

/// When the system is told which records come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Until a loader has read an epoch from its first batch to its last; always where the shards
    /// are larger than the memory that is available.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: a record that is not in memory is read page by page, when it is needed.
    Never,
}

/// A sample that took the place of one that is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// Its place in the batch.
    pub place: usize,
    /// Index of the damaged sample.
    pub bad: u64,
    /// Index of the sample that is there instead.
    pub by: u64,
}
