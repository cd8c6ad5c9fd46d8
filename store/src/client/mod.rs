//! What this crate asks of `object_store`: a client for an address, and calls that block and end.

mod attempts;
mod connect;
mod download;
mod runtime;

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload,
};
use url::Url;

use crate::error::StoreError;
use crate::object::{Created, Object};
use attempts::{with_attempts, with_attempts_within};
use connect::Purpose;
use download::{Drop, Sink, ToFile};
use runtime::run;

/// An object store and a prefix in it. Connections are made when they are needed, and again in a child
/// that was forked.
#[derive(Clone)]
pub(crate) struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    url: Url,
    prefix: ObjectPath,
    reader: Mutex<Made>,
    writer: Mutex<Made>,
}

/// The process that made a client of the store, and the client.
type Made = Option<(u32, Arc<dyn ObjectStore>)>;

/// Longest time of an upload: a minute, and so long as it takes at 128 KiB a second.
const UPLOAD: Duration = Duration::from_secs(60);
const SLOWEST: u64 = 128 << 10;

impl Client {
    pub(crate) fn new(address: &str) -> Result<Self, StoreError> {
        let url = connect::parse(address)?;
        let prefix = connect::prefix(&url, address)?;
        let client = Self {
            inner: Arc::new(Inner {
                url,
                prefix,
                reader: Mutex::new(None),
                writer: Mutex::new(None),
            }),
        };
        client.store()?;
        Ok(client)
    }

    /// The client for reading.
    fn store(&self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        self.made(&self.inner.reader, Purpose::Read)
    }

    /// A client as this process has made it.
    fn made(
        &self,
        made: &Mutex<Made>,
        purpose: Purpose,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if let Some((by, store)) = &*made
            && *by == process
        {
            return Ok(Arc::clone(store));
        }
        let store = connect::connect(&self.inner.url, purpose)?;
        // The parent's connections belong to threads that this child does not have.
        std::mem::forget(made.replace((process, Arc::clone(&store))));
        Ok(store)
    }

    fn path(&self, name: &str) -> ObjectPath {
        let parts = self.inner.prefix.parts();
        let name = name.split('/').filter(|part| !part.is_empty());
        parts.chain(name.map(Into::into)).collect()
    }

    pub(crate) fn read(
        &self,
        name: &str,
        address: &str,
        limit: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let (store, path) = (self.store()?, self.path(name));
        run(with_attempts(address, || async {
            let found = store.get(&path).await?;
            let mut bytes = Vec::new();
            let mut pieces = found.into_stream();
            while let Some(piece) = pieces.try_next().await? {
                bytes.extend_from_slice(&piece);
                if bytes.len() as u64 > limit {
                    bytes.truncate(usize::try_from(limit).map_or(usize::MAX, |limit| limit + 1));
                    break;
                }
            }
            Ok(bytes)
        }))
    }

    pub(crate) fn read_range(
        &self,
        name: &str,
        address: &str,
        range: Range<u64>,
    ) -> Result<Vec<u8>, StoreError> {
        let (store, path) = (self.store()?, self.path(name));
        run(with_attempts(address, || async {
            let options = GetOptions {
                range: Some(GetRange::Bounded(range.clone())),
                ..GetOptions::default()
            };
            let found = store.get_opts(&path, options).await?;
            Ok(found.bytes().await?.to_vec())
        }))
    }

    pub(crate) fn read_start(
        &self,
        name: &str,
        address: &str,
        limit: u64,
    ) -> Result<(Vec<u8>, u64), StoreError> {
        let (store, path) = (self.store()?, self.path(name));
        run(with_attempts(address, || async {
            let options = GetOptions {
                range: Some(GetRange::Bounded(0..limit)),
                ..GetOptions::default()
            };
            let found = store.get_opts(&path, options).await?;
            let size = found.meta.size;
            Ok((found.bytes().await?.to_vec(), size))
        }))
    }

    pub(crate) fn size(&self, name: &str, address: &str) -> Result<Option<u64>, StoreError> {
        let (store, path) = (self.store()?, self.path(name));
        match run(with_attempts(address, || async { store.head(&path).await })) {
            Ok(found) => Ok(Some(found.size)),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn list(&self, address: &str) -> Result<Vec<Object>, StoreError> {
        let store = self.store()?;
        let prefix = &self.inner.prefix;
        let listed: Vec<ObjectMeta> = run(with_attempts(address, || async {
            store.list(Some(prefix)).try_collect().await
        }))?;
        let objects = listed.into_iter().filter_map(|found| {
            let parts = found.location.prefix_match(prefix)?;
            let names: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
            Some(Object {
                name: names.join("/"),
                bytes: found.size,
            })
        });
        Ok(objects.collect())
    }

    pub(crate) fn download(
        &self,
        name: &str,
        address: &str,
        bytes: u64,
        file: &File,
        arrived: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<(), StoreError> {
        self.fetch(name, address, bytes, &ToFile(file), arrived)
    }

    pub(crate) fn drain(
        &self,
        name: &str,
        address: &str,
        bytes: u64,
        arrived: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<(), StoreError> {
        self.fetch(name, address, bytes, &Drop, arrived)
    }

    fn fetch(
        &self,
        name: &str,
        address: &str,
        bytes: u64,
        sink: &dyn Sink,
        arrived: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<(), StoreError> {
        let (store, path) = (self.store()?, self.path(name));
        let transfer = download::Transfer {
            store: &*store,
            path: &path,
            address,
            bytes,
            sink,
            arrived,
        };
        run(transfer.run())
    }

    pub(crate) fn create(
        &self,
        name: &str,
        address: &str,
        from: &Path,
    ) -> Result<Created, StoreError> {
        let bytes = crate::mapped::bytes(from).map_err(|source| StoreError::Io {
            path: from.to_owned(),
            source,
        })?;
        self.put(name, address, bytes, PutMode::Create)
    }

    pub(crate) fn create_bytes(
        &self,
        name: &str,
        address: &str,
        bytes: Vec<u8>,
    ) -> Result<Created, StoreError> {
        self.put(name, address, bytes.into(), PutMode::Create)
    }

    pub(crate) fn replace_bytes(
        &self,
        name: &str,
        address: &str,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.put(name, address, bytes.into(), PutMode::Overwrite)
            .map(drop)
    }

    fn put(
        &self,
        name: &str,
        address: &str,
        bytes: Bytes,
        mode: PutMode,
    ) -> Result<Created, StoreError> {
        let store = self.made(&self.inner.writer, Purpose::Write)?;
        let path = self.path(name);
        let limit = UPLOAD + Duration::from_secs(bytes.len() as u64 / SLOWEST);
        let payload = PutPayload::from(bytes);
        let put = run(with_attempts_within(address, limit, || async {
            let options = PutOptions {
                mode: mode.clone(),
                ..PutOptions::default()
            };
            let put = store.put_opts(&path, payload.clone(), options);
            tokio::time::timeout(limit, put).await.unwrap_or_else(|_| {
                Err(Error::Generic {
                    store: "upload",
                    source: format!("it was not taken within {} s", limit.as_secs()).into(),
                })
            })
        }));
        match put {
            Ok(_) => Ok(Created::New),
            Err(StoreError::Exists(_)) => Ok(Created::Existed),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn delete(&self, name: &str, address: &str) -> Result<(), StoreError> {
        let (store, path) = (self.store()?, self.path(name));
        match run(with_attempts(address, || async {
            store.delete(&path).await
        })) {
            Err(StoreError::Missing(_)) => Ok(()),
            done => done,
        }
    }
}
