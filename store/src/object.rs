//! What an object store holds, and what became of an object that was to be created.

/// An object below a [`Remote`](crate::Remote).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name below the prefix.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What became of an object that was to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there now.
    New,
    /// It was there before and was left as it is.
    Existed,
}
