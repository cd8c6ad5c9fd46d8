//! What a program has of a cache: the cache, and the datasets that it has open there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::awake::Awake;
use super::course::Course;
use super::fetch::transfers;
use super::figures::Figures;
use super::folder::Folder;
use super::link::{Link, unusable};
use super::protocol::ShardFile;
use crate::error::StoreError;

/// How often a wait asks whether to go on.
const POLL: Duration = Duration::from_millis(25);
/// Longest wait for an answer that needs no network.
const ANSWER: Duration = Duration::from_secs(90);

/// The caches of this process: each folder has one connection. A forked child makes its own.
static LINKS: Mutex<Vec<Arc<Link>>> = Mutex::new(Vec::new());

/// A folder on this machine in which shards of object stores are kept while they are needed.
///
/// One process of the machine keeps it: that fetches, compares, counts and deletes. Others that open the
/// same folder read. If the keeper ends, another of them takes over.
#[derive(Clone)]
pub struct Cache {
    link: Arc<Link>,
}

/// A dataset's shards, as a program that reads epochs of them needs them.
pub struct Session {
    link: Arc<Link>,
    user: u64,
    shards: Vec<ShardFile>,
}

impl Cache {
    /// Opens the cache in a folder, and makes it if there is none. It may hold `bytes` bytes, or half of
    /// what the disk has free.
    ///
    /// # Errors
    /// A folder that cannot be written to, or one that another process keeps with another number of bytes.
    pub fn open(folder: &Path, bytes: Option<u64>) -> Result<Self, StoreError> {
        let unusable = |error| StoreError::Cache(unusable(folder, &error));
        let folder = Folder::open(folder).map_err(unusable)?;
        let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        links.retain(|link| link.process != process || link.table().broken.is_none());
        let known = links
            .iter()
            .find(|link| link.process == process && link.folder.path() == folder.path());
        let link = match known {
            Some(link) => Arc::clone(link),
            None => {
                let link = Link::start(folder, bytes).map_err(unusable)?;
                links.push(Arc::clone(&link));
                link
            }
        };
        drop(links);
        let cache = Self { link };
        let quota = cache.ask(|table| table.quota)?;
        match bytes {
            Some(bytes) if bytes != quota => Err(StoreError::Cache(format!(
                "the cache {} is open with --cache-bytes {quota}; {bytes} was given: give the same, or another \
                 --cache-dir",
                cache.folder().display()
            ))),
            _ => Ok(cache),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.link.folder.given()
    }

    /// Shards that arrive at once, each over several connections.
    #[must_use]
    pub fn transfers() -> usize {
        transfers()
    }

    /// Bytes that it may hold.
    ///
    /// # Errors
    /// The keeper does not answer.
    pub fn quota(&self) -> Result<u64, StoreError> {
        self.ask(|table| table.quota)
    }

    /// What the keeper has done so far.
    ///
    /// # Errors
    /// The keeper does not answer.
    pub fn figures(&self) -> Result<Figures, StoreError> {
        self.link.ask_figures();
        self.ask(|table| {
            let figures = table.figures.clone()?;
            Some(Figures {
                silent_seconds: table.silence.seconds(),
                ..figures
            })
        })
    }

    /// Opens a dataset at an address, with these shards.
    #[must_use]
    pub fn session(&self, address: &str, shards: Vec<ShardFile>) -> Session {
        let user = self.link.open(address.to_owned(), shards.clone());
        Session {
            link: Arc::clone(&self.link),
            user,
            shards,
        }
    }

    /// Waits for something that the keeper says.
    fn ask<T>(&self, of: impl Fn(&super::link::Table) -> Option<T>) -> Result<T, StoreError> {
        let mut clock = Awake::new();
        let mut table = self.link.table();
        loop {
            if let Some(message) = &table.broken {
                return Err(StoreError::Cache(message.clone()));
            }
            if let Some(answer) = of(&table) {
                return Ok(answer);
            }
            if clock.passed() > ANSWER {
                return Err(StoreError::Cache(self.link.silent()));
            }
            table = self.link.wait(table, POLL);
        }
    }
}

impl Session {
    /// Whether this process made it: a forked child has to open its own.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.link.process == std::process::id()
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> Cache {
        Cache {
            link: Arc::clone(&self.link),
        }
    }

    /// Begins an epoch, in whose course the shards are needed. Processes that read the same epochs in step,
    /// such as the ranks of a training, give the same `group`, and their open shards count once.
    ///
    /// # Errors
    /// The shards that are in use at the same time have no room in the cache, or the keeper does not
    /// answer.
    pub fn begin(&self, course: Course, group: Option<String>) -> Result<(), StoreError> {
        self.link.begin(self.user, course, group);
        let (user, mut clock) = (self.user, Awake::new());
        let mut table = self.link.table();
        loop {
            if let Some(message) = &table.broken {
                return Err(StoreError::Cache(message.clone()));
            }
            let epoch = table.users.get(&user).and_then(|user| user.epoch.as_ref());
            match epoch {
                Some(epoch) if epoch.refused.is_some() => {
                    let message = epoch.refused.clone().unwrap_or_default();
                    return Err(StoreError::Cache(message));
                }
                Some(epoch) if epoch.begun => return Ok(()),
                _ if clock.passed() > ANSWER => {
                    return Err(StoreError::Cache(self.link.silent()));
                }
                _ => table = self.link.wait(table, POLL),
            }
        }
    }

    /// Says that the sets before number `set` are used up: their shards may go.
    pub fn advance(&self, set: usize) {
        self.link.advance(self.user, set);
    }

    /// Says that the epoch is over.
    pub fn end(&self) {
        self.link.end(self.user);
    }

    /// Waits until a shard of an open set is there, and returns its file. The file may be deleted once its
    /// set is used up; a map of it stays valid.
    ///
    /// # Errors
    /// The shard cannot be had, or `stop` says to stop.
    pub fn wait(&self, shard: u32, stop: &dyn Fn() -> bool) -> Result<PathBuf, StoreError> {
        let mut table = self.link.table();
        loop {
            if let Some(message) = &table.broken {
                return Err(StoreError::Cache(message.clone()));
            }
            let epoch = table
                .users
                .get(&self.user)
                .and_then(|user| user.epoch.as_ref());
            let Some(epoch) = epoch else {
                return Err(StoreError::Cache("no epoch is under way".to_owned()));
            };
            if let Some(message) = epoch.refused.as_ref().or_else(|| epoch.failed.get(&shard)) {
                return Err(StoreError::Cache(message.clone()));
            }
            if epoch.ready.contains(&shard) {
                return Ok(self.link.folder.shard(&self.shards[shard as usize].blake3));
            }
            drop(table);
            if stop() {
                return Err(StoreError::Stopped);
            }
            table = self.link.table();
            table = self.link.wait(table, POLL);
        }
    }

    /// Says that the file of a shard is not there, or that its bytes are wrong: it is compared with its
    /// BLAKE3 and fetched again if it differs. [`wait`](Self::wait) then waits for it.
    pub fn recheck(&self, shard: u32) {
        self.link.recheck(self.user, shard);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_here() {
            self.link.leave(self.user);
        }
    }
}

impl Link {
    fn silent(&self) -> String {
        format!(
            "the process that keeps the cache {} does not answer: end it, or give another --cache-dir",
            self.folder.given().display()
        )
    }
}
