//! The one process of a machine that changes a cache's folder: it fetches, compares, counts and deletes.
//!
//! A process keeps the cache for as long as it lives and has the lock. One that finds another file at the
//! lock's path steps down: it closes its connections and changes nothing more, and the processes that use the
//! cache, itself among them, find or become another keeper.

mod responder;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shardmill_formats::Causes;

use super::fetch::{Wanted, transfers};
use super::figures::Figures;
use super::folder::Folder;
use super::lock::Lock;
use super::policy::{Decision, Policy, ShardId, State};
use super::protocol::{Reply, Request, receive, send};
use super::socket::{self, Listener};
use responder::Responder;
use table::Table;

/// Longest time that a process may leave answers unread.
const UNREAD: Duration = Duration::from_secs(60);
/// How often the keeper looks whether its lock and its socket are in their places, and whether it still is one.
const WATCH: Duration = Duration::from_millis(500);

/// The keeper of a folder, in this process.
pub(super) struct Keeper {
    folder: Folder,
    quota: u64,
    table: Mutex<Table>,
    changed: Condvar,
    /// `None` once this process has stepped down.
    lock: Mutex<Option<Lock>>,
}

impl Keeper {
    /// Becomes the keeper of a folder; `None` if another process is. `quota` bytes may be held, or half of
    /// what is free.
    pub(super) fn start(folder: &Folder, quota: Option<u64>) -> io::Result<Option<()>> {
        let Some(lock) = Lock::take(&folder.lock())? else {
            return Ok(None);
        };
        let found = folder.scan()?;
        let held: u64 = found.iter().map(|(_, bytes)| bytes).sum();
        let quota = match quota {
            Some(quota) => quota,
            None => held + socket::free_bytes(folder.path())? / 2,
        };
        let mut table = Table {
            policy: Policy::new(quota),
            shards: Vec::new(),
            by_blake3: HashMap::new(),
            users: BTreeMap::new(),
            next_user: 0,
            begun: 0,
            figures: Figures::default(),
            transfers: 0,
            busy_since: Instant::now(),
        };
        for (blake3, bytes) in found {
            table.number(&blake3, bytes, State::Present);
        }
        let listener = Listener::open(folder)?;
        let keeper = Arc::new(Self {
            folder: folder.clone(),
            quota,
            table: Mutex::new(table),
            changed: Condvar::new(),
            lock: Mutex::new(Some(lock)),
        });
        for i in 0..transfers() {
            let keeper = Arc::clone(&keeper);
            spawn(format!("cache-fetch-{i}"), move || keeper.fetch_all())?;
        }
        spawn("cache-keeper".to_owned(), move || keeper.listen(listener))?;
        Ok(Some(()))
    }

    /// Takes connections until this process is the keeper no more.
    fn listen(self: Arc<Self>, mut listener: Listener) {
        while self.is_kept() {
            // A process that cannot be served finds that its connection is closed, and tries again.
            match listener.accept(WATCH) {
                Ok(Some(stream)) => {
                    let keeper = Arc::clone(&self);
                    let _ = spawn("cache-serve".to_owned(), move || {
                        let _ = keeper.serve(stream);
                    });
                }
                Ok(None) => {}
                // Such as too many open files.
                Err(_) => std::thread::sleep(WATCH),
            }
            if !listener.is_in_place(&self.folder)
                && self.is_kept()
                && let Ok(again) = Listener::open(&self.folder)
            {
                listener = again;
            }
        }
        // With the table, so that no thread begins to wait after this.
        let table = self.table();
        drop(self.lock().take());
        drop(table);
        self.changed.notify_all();
    }

    /// Whether this process is still the keeper.
    fn is_kept(&self) -> bool {
        self.lock().as_ref().is_some_and(Lock::is_in_place)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lock>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches one shard after the other, as long as this process is the keeper.
    fn fetch_all(&self) {
        let mut table = self.table();
        while self.is_kept() {
            let shard = match table.policy.decide() {
                Decision::Wait => {
                    table = self
                        .changed
                        .wait(table)
                        .unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                Decision::Evict(shards) => {
                    self.evict(&mut table, &shards);
                    continue;
                }
                Decision::Fetch { shard, evict } => {
                    self.evict(&mut table, &evict);
                    shard
                }
            };
            table.policy.set(shard, State::Arriving);
            let stored = &table.shards[shard];
            let (blake3, bytes) = (stored.blake3.clone(), stored.bytes);
            let Some((remote, file)) = stored.source.clone() else {
                // Only shards of open datasets are asked for.
                table.policy.set(shard, State::Failed);
                continue;
            };
            table.begin_transfer();
            let begun = table.begun;
            drop(table);
            let wanted = Wanted {
                folder: &self.folder,
                remote: &remote,
                file: &file,
                bytes,
                blake3: &blake3,
                is_kept: &|| self.is_kept(),
            };
            let outcome = wanted.fetch();
            table = self.table();
            if !self.is_kept() {
                // The next keeper fetches it.
                return;
            }
            table.end_transfer();
            table.figures.fetched_bytes += outcome.arrived;
            table.figures.damaged += u64::from(outcome.damaged);
            match outcome.result {
                Ok(()) => {
                    table.figures.fetched_shards += 1;
                    table.policy.set(shard, State::Present);
                }
                // An epoch that began meanwhile has not had its attempt.
                Err(_) if table.is_needed_since(shard, begun) => {
                    table.policy.set(shard, State::Absent);
                }
                Err(error) => {
                    table.figures.failed += 1;
                    table.policy.set(shard, State::Failed);
                    table.tell_failed(shard, &Causes(&error).to_string());
                }
            }
            table.tell_ready();
            self.changed.notify_all();
        }
    }

    /// Deletes shards. One that cannot be deleted is replaced when it is fetched again.
    fn evict(&self, table: &mut Table, shards: &[ShardId]) {
        for &shard in shards {
            let _ = self.folder.remove(&table.shards[shard].blake3);
            table.policy.set(shard, State::Absent);
            table.figures.evicted_shards += 1;
        }
    }

    /// Answers a process until it closes its connection.
    fn serve(&self, stream: UnixStream) -> io::Result<()> {
        let writing = stream.try_clone()?;
        writing.set_write_timeout(Some(UNREAD))?;
        stream.set_read_timeout(Some(WATCH))?;
        let (to, answers) = channel();
        spawn("cache-answer".to_owned(), move || answer(writing, &answers))?;
        let (mut reader, mut line) = (BufReader::new(stream), Vec::new());
        let mut users = BTreeMap::new();
        let responder = Responder {
            folder: &self.folder,
            quota: self.quota,
        };
        while self.is_kept() {
            let request: Request = match receive(&mut reader, &mut line) {
                Ok(Some(request)) => request,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Ok(None) | Err(_) => break,
            };
            let mut table = self.table();
            let reply = responder.answer(&mut table, &mut users, &to, request);
            let is_refused = matches!(reply, Some(Reply::Refused { user: None, .. }));
            // Before what the request makes known: a process counts nothing for an epoch that has not begun.
            if let Some(reply) = reply {
                let _ = to.send(reply);
            }
            table.tell_ready();
            drop(table);
            self.changed.notify_all();
            if is_refused {
                break;
            }
        }
        let mut table = self.table();
        for user in users.into_values() {
            table.leave(user);
        }
        table.tell_ready();
        self.changed.notify_all();
        Ok(())
    }
}

/// Writes answers until the process is gone or reads no more.
fn answer(mut stream: UnixStream, answers: &Receiver<Reply>) {
    while let Ok(reply) = answers.recv() {
        if send(&mut stream, &reply)
            .and_then(|()| stream.flush())
            .is_err()
        {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name).spawn(work).map(drop)
}
