//! An object store in memory, which counts, refuses and ignores on demand.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use shardmill_store::{Cause, Created, Object, StoreError, Tried};

use super::Objects;

/// The store, at `mem://bucket`.
#[derive(Default)]
pub(crate) struct Fake {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Requests that read.
    pub(crate) reads: AtomicUsize,
    /// Creations until every one fails; without a limit if 0.
    pub(crate) creations: AtomicUsize,
    /// Whether what exists is replaced, as a server does that does not know the condition.
    pub(crate) replaces: AtomicBool,
}

impl Fake {
    pub(crate) fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.objects.lock().unwrap()
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let missing = || StoreError::Missing(self.address_of(name));
        self.objects().get(name).cloned().ok_or_else(missing)
    }
}

impl Objects for Fake {
    fn address(&self) -> &str {
        "mem://bucket"
    }

    fn read(&self, name: &str, _: u64) -> Result<Vec<u8>, StoreError> {
        self.get(name)
    }

    fn read_start(&self, name: &str, limit: u64) -> Result<(Vec<u8>, u64), StoreError> {
        let bytes = self.get(name)?;
        let end = bytes.len().min(limit as usize);
        Ok((bytes[..end].to_vec(), bytes.len() as u64))
    }

    fn read_from(&self, name: &str, start: u64, len: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.get(name)?;
        let end = bytes.len().min((start + len) as usize);
        Ok(bytes[start as usize..end].to_vec())
    }

    fn list(&self) -> Result<Vec<Object>, StoreError> {
        let objects = self.objects();
        let object = |(name, bytes): (&String, &Vec<u8>)| Object {
            name: name.clone(),
            bytes: bytes.len() as u64,
        };
        Ok(objects.iter().map(object).collect())
    }

    fn fetch(
        &self,
        name: &str,
        _: u64,
        mut file: &File,
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), StoreError> {
        file.write_all(&self.get(name)?).unwrap();
        Ok(())
    }

    fn create(&self, name: &str, from: &Path) -> Result<Created, StoreError> {
        self.create_bytes(name, fs::read(from).unwrap())
    }

    fn create_bytes(&self, name: &str, bytes: Vec<u8>) -> Result<Created, StoreError> {
        if self.creations.load(Ordering::Relaxed) > 0
            && self.creations.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.creations.store(1, Ordering::Relaxed);
            return Err(StoreError::Failed {
                address: self.address_of(name),
                tried: Tried::new("s3://bucket", 1, Duration::ZERO),
                source: Cause::new("the connection was lost"),
            });
        }
        let mut objects = self.objects();
        if objects.contains_key(name) && !self.replaces.load(Ordering::Relaxed) {
            return Ok(Created::Existed);
        }
        objects.insert(name.to_owned(), bytes);
        Ok(Created::New)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.objects().remove(name);
        Ok(())
    }
}
