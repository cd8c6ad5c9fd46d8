//! The one process of a machine that changes a cache's folder: it fetches, compares, counts and deletes.
//!
//! A process keeps the cache for as long as it lives. The lock is a record lock, which a forked child does
//! not have, and which ends with its process however that ends.

mod table;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shardmill_formats::{Causes, size};

use super::fetch;
use super::figures::Figures;
use super::folder::Folder;
use super::policy::{Decision, Policy, ShardId, State, UserId};
use super::protocol::{Reply, Request, VERSION, receive, send};
use super::socket;
use table::Table;

/// Shards that arrive at once. Each has several connections.
const TRANSFERS: usize = 4;
/// Longest time that a process may leave answers unread.
const UNREAD: Duration = Duration::from_secs(60);

/// The keeper of a folder, in this process.
pub(super) struct Keeper {
    folder: Folder,
    quota: u64,
    table: Mutex<Table>,
    changed: Condvar,
    /// Held as long as the process lives.
    _lock: File,
}

impl Keeper {
    /// Becomes the keeper of a folder; `None` if another process is. `quota` bytes may be held, or half of
    /// what is free.
    pub(super) fn start(folder: &Folder, quota: Option<u64>) -> io::Result<Option<()>> {
        let Some(lock) = socket::lock(&folder.lock())? else {
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
        let listener = socket::listen(folder)?;
        let keeper = Arc::new(Self {
            folder: folder.clone(),
            quota,
            table: Mutex::new(table),
            changed: Condvar::new(),
            _lock: lock,
        });
        for i in 0..TRANSFERS {
            let keeper = Arc::clone(&keeper);
            spawn(format!("cache-fetch-{i}"), move || keeper.fetch_forever())?;
        }
        spawn("cache-keeper".to_owned(), move || {
            for stream in listener.incoming() {
                let keeper = Arc::clone(&keeper);
                // A process that cannot be served finds that its connection is closed, and tries again.
                let _ = stream.and_then(|stream| {
                    spawn("cache-serve".to_owned(), move || {
                        let _ = keeper.serve(stream);
                    })
                });
            }
        })?;
        Ok(Some(()))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches one shard after the other.
    fn fetch_forever(&self) {
        let mut table = self.table();
        loop {
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
            let outcome = fetch::fetch(&self.folder, &remote, &file, bytes, &blake3);
            table = self.table();
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
        let (to, answers) = channel();
        spawn("cache-answer".to_owned(), move || answer(writing, &answers))?;
        let (mut reader, mut line) = (BufReader::new(stream), Vec::new());
        let mut users = BTreeMap::new();
        while let Ok(Some(request)) = receive(&mut reader, &mut line) {
            let mut table = self.table();
            let reply = self.answer(&mut table, &mut users, &to, request);
            table.tell_ready();
            drop(table);
            self.changed.notify_all();
            if let Some(reply) = reply {
                let refused = matches!(reply, Reply::Refused { user: None, .. });
                let _ = to.send(reply);
                if refused {
                    break;
                }
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

    /// Does what a process asks for. `users` are its datasets, by its own numbers.
    fn answer(
        &self,
        table: &mut Table,
        users: &mut BTreeMap<u64, UserId>,
        to: &Sender<Reply>,
        request: Request,
    ) -> Option<Reply> {
        match request {
            Request::Hello { version, quota } => Some(self.greet(version, quota)),
            Request::Ping => Some(Reply::Pong),
            Request::Figures => Some(Reply::Figures(table.figures(self.quota))),
            Request::Open {
                user,
                address,
                shards,
            } => match table.open(user, &address, shards, to.clone()) {
                Ok(id) => {
                    if let Some(earlier) = users.insert(user, id) {
                        table.leave(earlier);
                    }
                    None
                }
                Err(message) => Some(refused(user, message)),
            },
            Request::Begin {
                user,
                course,
                group,
            } => {
                let id = users.get(&user).copied();
                let Some((id, known)) = id.and_then(|id| Some((id, table.users.get(&id)?))) else {
                    return Some(refused(user, "its dataset could not be opened".to_owned()));
                };
                let ids = known.ids.clone();
                if !course.is_valid(ids.len()) {
                    return Some(refused(
                        user,
                        "the order of its shards makes no sense".to_owned(),
                    ));
                }
                let bytes: Vec<u64> = ids.iter().map(|&id| table.shards[id].bytes).collect();
                let (own, others) = (
                    course.open_at_once(&bytes),
                    table.policy.open_at_once(id, group.as_deref()),
                );
                if own + others > self.quota {
                    table.policy.leave(id);
                    return Some(refused(user, self.too_small(own, others)));
                }
                table.policy.begin(id, ids, course, group);
                table.begun += 1;
                let begun = table.begun;
                let known = table.users.get_mut(&id)?;
                known.told.clear();
                known.began = begun;
                Some(Reply::Begun { user })
            }
            Request::At { user, set } => {
                table.policy.advance(*users.get(&user)?, set);
                None
            }
            Request::End { user } => {
                table.policy.end_epoch(*users.get(&user)?);
                None
            }
            Request::Leave { user } => {
                table.leave(users.remove(&user)?);
                None
            }
            Request::Recheck { user, shard } => {
                let known = table.users.get_mut(users.get(&user)?)?;
                let id = *known.ids.get(shard as usize)?;
                known.told.remove(&shard);
                self.recheck(table, id);
                None
            }
        }
    }

    fn greet(&self, version: u32, quota: Option<u64>) -> Reply {
        let process = std::process::id();
        let folder = self.folder.path().display();
        let message = if version != VERSION {
            format!(
                "process {process} keeps the cache {folder} with another version of Shardmill: use the same version, \
                 or another --cache-dir"
            )
        } else if let Some(other) = quota.filter(|quota| *quota != self.quota) {
            format!(
                "process {process} keeps the cache {folder} with --cache-bytes {}; {other} was given: give the same, \
                 or another --cache-dir",
                self.quota
            )
        } else {
            let quota = self.quota;
            return Reply::Welcome { process, quota };
        };
        Reply::Refused {
            user: None,
            message,
        }
    }

    /// Why what is open at once has no room.
    fn too_small(&self, own: u64, others: u64) -> String {
        let taken = match others {
            0 => String::new(),
            _ => format!(" beside {} of other datasets that are open", size(others)),
        };
        format!(
            "the cache {} may hold {} ({} bytes), and the shards that are in use at the same time take {} ({own} \
             bytes){taken}: give --cache-bytes {} or more, or an order that uses fewer shards at once, such as \
             --order shards:1",
            self.folder.path().display(),
            size(self.quota),
            self.quota,
            size(own),
            own + others
        )
    }

    /// Compares a shard with its BLAKE3, and fetches it again if it is not the same or not there.
    fn recheck(&self, table: &mut Table, shard: ShardId) {
        if table.policy.state(shard) != State::Present {
            return;
        }
        let stored = &table.shards[shard];
        if !fetch::is_whole(
            &self.folder.shard(&stored.blake3),
            stored.bytes,
            &stored.blake3,
        ) {
            let _ = self.folder.remove(&stored.blake3);
            table.figures.damaged += 1;
            table.policy.set(shard, State::Absent);
        }
    }
}

fn refused(user: u64, message: String) -> Reply {
    let user = Some(user);
    Reply::Refused { user, message }
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
