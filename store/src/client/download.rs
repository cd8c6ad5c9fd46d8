//! A whole object, in parts that are fetched at the same time and each go on where a lost connection left
//! them.

use std::fs::File;
use std::io;
use std::ops::Range;

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::attempts::{Attempts, failed, meaning};
use crate::error::{Cause, StoreError};

/// Bytes of a part: long enough that asking for it costs little at a delay of 50 ms.
const PART: u64 = 16 << 20;
/// Parts of one object under way at once.
const PARTS: usize = 4;
/// Bytes that count as progress of a part, after which its failed attempts are counted from zero.
const PROGRESS: u64 = 64 << 10;

/// Where the bytes go.
pub(super) trait Sink: Sync {
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()>;
}

/// Into a file.
pub(super) struct ToFile<'a>(pub(super) &'a File);

/// Nowhere.
pub(super) struct Drop;

impl Sink for ToFile<'_> {
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::write_all_at(self.0, bytes, at);
        #[cfg(not(unix))]
        {
            let _ = (bytes, at);
            Err(io::Error::from(io::ErrorKind::Unsupported))
        }
    }
}

impl Sink for Drop {
    fn write(&self, _: &[u8], _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// An object on its way.
pub(super) struct Transfer<'a> {
    pub(super) store: &'a dyn ObjectStore,
    pub(super) path: &'a ObjectPath,
    pub(super) address: &'a str,
    pub(super) bytes: u64,
    pub(super) sink: &'a dyn Sink,
    /// Is told of every piece, and says whether to go on.
    pub(super) arrived: &'a (dyn Fn(u64) -> bool + Sync),
}

impl Transfer<'_> {
    pub(super) async fn run(&self) -> Result<(), StoreError> {
        let parts = (0..self.bytes).step_by(PART as usize);
        let parts = parts.map(|start| self.part(start..self.bytes.min(start + PART)));
        stream::iter(parts)
            .buffer_unordered(PARTS)
            .try_collect::<()>()
            .await
    }

    async fn part(&self, part: Range<u64>) -> Result<(), StoreError> {
        let (mut at, mut attempts) = (part.start, Attempts::new());
        while at < part.end {
            let before = at;
            let Err(error) = self.request(&mut at, part.end).await else {
                continue;
            };
            if at - before >= PROGRESS {
                attempts = Attempts::new();
            }
            attempts.failed(error).await?;
        }
        Ok(())
    }

    /// One request for `at..end`; `at` follows what arrives.
    async fn request(&self, at: &mut u64, end: u64) -> Result<(), StoreError> {
        let asked = *at..end;
        let options = GetOptions {
            range: Some(GetRange::Bounded(asked.clone())),
            ..GetOptions::default()
        };
        let understood = |error| meaning(error, self.address);
        let found = self
            .store
            .get_opts(self.path, options)
            .await
            .map_err(understood)?;
        if found.meta.size != self.bytes {
            return Err(StoreError::Length {
                address: self.address.to_owned(),
                found: found.meta.size,
                expected: self.bytes,
            });
        }
        if found.range != asked {
            return Err(StoreError::Ranges(self.address.to_owned()));
        }
        let mut pieces = found.into_stream();
        while let Some(piece) = pieces.try_next().await.map_err(understood)? {
            let len = piece.len() as u64;
            if len > end - *at {
                return Err(StoreError::Ranges(self.address.to_owned()));
            }
            self.sink
                .write(&piece, *at)
                .map_err(|source| StoreError::Io {
                    path: self.address.into(),
                    source,
                })?;
            *at += len;
            if !(self.arrived)(len) {
                return Err(StoreError::Stopped);
            }
        }
        if *at < end {
            let early = format!("the connection ended {} bytes early", end - *at);
            return Err(failed(self.address.to_owned(), Cause(early)));
        }
        Ok(())
    }
}
