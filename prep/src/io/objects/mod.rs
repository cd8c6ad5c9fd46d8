//! What this crate asks of an object store.

#[cfg(test)]
pub(crate) mod fake;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use shardmill_store::{Created, Object, Remote, StoreError};

/// A prefix of an object store, or what stands in for one in a test.
pub(crate) trait Objects: Send + Sync {
    /// Its address, without a slash at its end.
    fn address(&self) -> &str;

    /// The address of an object.
    fn address_of(&self, name: &str) -> String {
        format!("{}/{name}", self.address())
    }

    /// Reads an object of at most `limit` bytes; of a longer one, `limit` bytes and one more.
    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, StoreError>;

    /// The first `limit` bytes of an object, and its size in bytes.
    fn read_start(&self, name: &str, limit: u64) -> Result<(Vec<u8>, u64), StoreError>;

    /// Reads `bytes` bytes of an object from `start`, or what there is of them.
    fn read_from(&self, name: &str, start: u64, bytes: u64) -> Result<Vec<u8>, StoreError>;

    /// Every object below the prefix.
    fn list(&self) -> Result<Vec<Object>, StoreError>;

    /// Fetches an object of `bytes` bytes into a file; `go_on` may end it.
    fn fetch(
        &self,
        name: &str,
        bytes: u64,
        file: &File,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), StoreError>;

    /// Creates an object from a file that nothing writes to any more, unless there is one of this name.
    fn create(&self, name: &str, from: &Path) -> Result<Created, StoreError>;

    /// Creates a small object, unless there is one of this name.
    fn create_bytes(&self, name: &str, bytes: Vec<u8>) -> Result<Created, StoreError>;

    /// Deletes an object, if there is one.
    fn delete(&self, name: &str) -> Result<(), StoreError>;
}

/// A prefix that several threads use.
pub(crate) type Store = Arc<dyn Objects>;

impl Objects for Remote {
    fn address(&self) -> &str {
        Self::address(self)
    }

    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        Self::read(self, name, limit)
    }

    fn read_start(&self, name: &str, limit: u64) -> Result<(Vec<u8>, u64), StoreError> {
        Self::read_start(self, name, limit)
    }

    fn read_from(&self, name: &str, start: u64, bytes: u64) -> Result<Vec<u8>, StoreError> {
        self.read_range(name, start..start.saturating_add(bytes))
    }

    fn list(&self) -> Result<Vec<Object>, StoreError> {
        Self::list(self)
    }

    fn fetch(
        &self,
        name: &str,
        bytes: u64,
        file: &File,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), StoreError> {
        self.download(name, bytes, file, &|_| go_on())
    }

    fn create(&self, name: &str, from: &Path) -> Result<Created, StoreError> {
        Self::create(self, name, from)
    }

    fn create_bytes(&self, name: &str, bytes: Vec<u8>) -> Result<Created, StoreError> {
        Self::create_bytes(self, name, bytes)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        Self::delete(self, name)
    }
}
