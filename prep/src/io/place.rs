//! Where a dataset is: in a folder, or in an object store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardmill_store::{Remote, StoreError, address, misspelt};

use super::objects::Store;
use crate::error::PrepError;

/// A folder, or a prefix of an object store.
#[derive(Clone)]
pub(crate) enum Place {
    Folder(PathBuf),
    Store(Store),
}

impl Place {
    /// The place that a user names. Nothing is read.
    ///
    /// # Errors
    /// An address that makes no sense, or a program without object stores.
    pub(crate) fn new(path: &Path) -> Result<Self, PrepError> {
        if let Some(address) = address(path) {
            return Ok(Self::Store(Arc::new(
                Remote::open(address).map_err(PrepError::Store)?,
            )));
        }
        match misspelt(path) {
            None => Ok(Self::Folder(path.to_owned())),
            Some(scheme) => Err(PrepError::Source {
                path: path.to_owned(),
                message: format!(
                    "an address has two slashes after {scheme}: as in {scheme}://bucket/dataset"
                ),
            }),
        }
    }

    /// Whether it is a folder.
    pub(crate) const fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    /// The folder or the address of what is called `name` in it, for messages, and to open a file.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(name),
            Self::Store(store) => store.address_of(name).into(),
        }
    }

    /// Reads a plain file or an object of at most `limit` bytes, if it is there.
    pub(crate) fn read_beside(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, PrepError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                match fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
                    true => fs::read(&path).map(Some).map_err(PrepError::io(&path)),
                    false => Ok(None),
                }
            }
            Self::Store(store) => match store.read(name, limit) {
                Ok(bytes) if bytes.len() as u64 > limit => Err(PrepError::Source {
                    path: store.address_of(name).into(),
                    message: format!("it is longer than {limit} bytes"),
                }),
                Ok(bytes) => Ok(Some(bytes)),
                Err(StoreError::Missing(_)) => Ok(None),
                Err(error) => Err(PrepError::Store(error)),
            },
        }
    }

    /// Refuses an address where files are written into a folder.
    pub(crate) fn check_is_folder(path: &Path) -> Result<(), PrepError> {
        match Self::new(path) {
            Ok(Self::Folder(_)) => Ok(()),
            Ok(Self::Store(store)) => Err(PrepError::Source {
                path: store.address().into(),
                message: "only an ingest writes to an address: give a folder, and copy it there afterwards"
                    .to_owned(),
            }),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_one_slash_is_refused_and_a_folder_is_none() {
        assert!(matches!(
            Place::new(Path::new("data/s3")),
            Ok(Place::Folder(_))
        ));
        let error = Place::new(Path::new("s3:/bucket/x")).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("two slashes"), "{text}");
        for path in ["s3://bucket/x", "gs:/bucket/x"] {
            assert!(Place::check_is_folder(Path::new(path)).is_err(), "{path}");
        }
        Place::check_is_folder(Path::new("out")).unwrap();
    }
}
