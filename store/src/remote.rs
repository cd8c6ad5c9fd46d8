//! A dataset's place in an object store.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use crate::client::Client;
use crate::error::StoreError;
use crate::object::{Created, Object};

/// A prefix of an object store: what a folder is to a disk. Cloning is cheap.
#[derive(Clone)]
pub struct Remote {
    address: String,
    client: Client,
}

impl Remote {
    /// The place that an address such as `s3://bucket/imagenet` names. Nothing is asked of the server.
    ///
    /// # Errors
    /// An address with credentials or a query in it, or one that names no bucket; credentials in the
    /// environment that make no sense; or a program without object stores.
    pub fn open(address: &str) -> Result<Self, StoreError> {
        let client = Client::new(address)?;
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            client,
        })
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of an object.
    #[must_use]
    pub fn address_of(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Reads an object of at most `limit` bytes, in one request; a longer one gives its first `limit`
    /// bytes and one more.
    ///
    /// # Errors
    /// There is no such object, or it cannot be read.
    pub fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.client.read(name, &self.address_of(name), limit)
    }

    /// Reads a range of an object, in one request. A range that goes beyond the end gives what is there.
    ///
    /// # Errors
    /// There is no such object, it cannot be read, or the server ignores ranges.
    pub fn read_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        self.client.read_range(name, &self.address_of(name), range)
    }

    /// Reads the first `limit` bytes of an object, or all of a shorter one, and its size in bytes, in one
    /// request.
    ///
    /// # Errors
    /// As [`read_range`](Self::read_range).
    pub fn read_start(&self, name: &str, limit: u64) -> Result<(Vec<u8>, u64), StoreError> {
        self.client.read_start(name, &self.address_of(name), limit)
    }

    /// Size of an object in bytes; `None` if there is none.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub fn size(&self, name: &str) -> Result<Option<u64>, StoreError> {
        self.client.size(name, &self.address_of(name))
    }

    /// Every object below this place, in no particular order.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub fn list(&self) -> Result<Vec<Object>, StoreError> {
        self.client.list(&self.address)
    }

    /// Fetches an object of `bytes` bytes into `file`, from its beginning, in several connections at
    /// once. What a lost connection has brought is kept. `arrived` is told of every piece, in bytes, and
    /// ends the transfer by returning `false`. The bytes are not compared with anything but their number.
    ///
    /// # Errors
    /// As [`read_range`](Self::read_range); an object of another size; or a file that cannot be written.
    pub fn download(
        &self,
        name: &str,
        bytes: u64,
        file: &File,
        arrived: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<(), StoreError> {
        self.client
            .download(name, &self.address_of(name), bytes, file, arrived)
    }

    /// Fetches an object as [`download`](Self::download) does, and drops what arrives: it measures the
    /// link.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    pub fn drain(
        &self,
        name: &str,
        bytes: u64,
        arrived: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<(), StoreError> {
        self.client
            .drain(name, &self.address_of(name), bytes, arrived)
    }

    /// Creates an object from a file that does not change meanwhile, unless there is one of this name.
    ///
    /// # Errors
    /// The file cannot be read or the object not be written.
    pub fn create(&self, name: &str, from: &Path) -> Result<Created, StoreError> {
        self.client.create(name, &self.address_of(name), from)
    }

    /// Creates a small object, unless there is one of this name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create_bytes(&self, name: &str, bytes: Vec<u8>) -> Result<Created, StoreError> {
        self.client
            .create_bytes(name, &self.address_of(name), bytes)
    }

    /// Writes a small object, in place of one of this name if there is one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn replace_bytes(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.client
            .replace_bytes(name, &self.address_of(name), bytes)
    }

    /// Deletes an object; that there is none is no error.
    ///
    /// # Errors
    /// The server refuses.
    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.client.delete(name, &self.address_of(name))
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Remote").field(&self.address).finish()
    }
}
