//! This process's connection to the keeper of a folder, and what it does when the keeper dies: another
//! process, perhaps this one, becomes the keeper, and is told again what this process needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::awake::Awake;
use super::course::Course;
use super::figures::Figures;
use super::folder::Folder;
use super::keeper::Keeper;
use super::lock::Lock;
use super::protocol::{Reply, Request, ShardFile, VERSION, receive, send};
use super::silence::Silence;
use super::socket;

/// Longest silence before the keeper is asked whether it is there, and before another connection is tried.
const QUIET: Duration = Duration::from_secs(1);
const LOST: Duration = Duration::from_secs(20);
/// Pause between two attempts.
const AGAIN: Duration = Duration::from_millis(20);

/// A process's use of a folder, shared by its threads.
pub(super) struct Link {
    pub(super) folder: Folder,
    pub(super) quota: Option<u64>,
    pub(super) process: u32,
    table: Mutex<Table>,
    changed: Condvar,
}

/// What this process has asked for and what it was told.
#[derive(Default)]
pub(super) struct Table {
    stream: Option<UnixStream>,
    /// Why there is no keeper, and will be none.
    pub(super) broken: Option<String>,
    /// The bytes that the cache may hold, from the keeper.
    pub(super) quota: Option<u64>,
    pub(super) users: BTreeMap<u64, User>,
    next_user: u64,
    pub(super) figures: Option<Figures>,
    pub(super) silence: Silence,
}

/// A dataset that this process has open.
pub(super) struct User {
    address: String,
    shards: Vec<ShardFile>,
    /// Why the keeper does not open it.
    refused: Option<String>,
    pub(super) epoch: Option<Epoch>,
}

/// An epoch under way.
pub(super) struct Epoch {
    course: Course,
    group: Option<String>,
    pub(super) at: usize,
    ended: bool,
    pub(super) begun: bool,
    pub(super) refused: Option<String>,
    pub(super) ready: BTreeSet<u32>,
    pub(super) failed: BTreeMap<u32, String>,
}

impl Link {
    /// Finds or becomes the keeper of a folder, and stays in touch with it.
    pub(super) fn start(folder: Folder, quota: Option<u64>) -> io::Result<Arc<Self>> {
        let link = Arc::new(Self {
            folder,
            quota,
            process: std::process::id(),
            table: Mutex::default(),
            changed: Condvar::new(),
        });
        let thread = Arc::clone(&link);
        let builder = std::thread::Builder::new().name("cache-link".to_owned());
        builder.spawn(move || thread.run())?;
        Ok(link)
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, or for `at_most`.
    pub(super) fn wait<'a>(
        &self,
        table: MutexGuard<'a, Table>,
        at_most: Duration,
    ) -> MutexGuard<'a, Table> {
        let waited = self.changed.wait_timeout(table, at_most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Opens a dataset, and returns its number.
    pub(super) fn open(&self, address: String, shards: Vec<ShardFile>) -> u64 {
        let mut table = self.table();
        let number = table.next_user;
        table.next_user += 1;
        let user = User {
            address,
            shards,
            refused: None,
            epoch: None,
        };
        let request = user.open(number);
        table.users.insert(number, user);
        table.say(&request);
        number
    }

    pub(super) fn begin(&self, user: u64, course: Course, group: Option<String>) {
        let mut table = self.table();
        let Some(known) = table.users.get_mut(&user) else {
            return;
        };
        let epoch = known.epoch.insert(Epoch {
            course,
            group,
            at: 0,
            ended: false,
            begun: false,
            refused: known.refused.clone(),
            ready: BTreeSet::new(),
            failed: BTreeMap::new(),
        });
        let request = epoch.begin(user);
        table.say(&request);
    }

    pub(super) fn advance(&self, user: u64, set: usize) {
        let mut table = self.table();
        let epoch = table
            .users
            .get_mut(&user)
            .and_then(|user| user.epoch.as_mut());
        if let Some(epoch) = epoch.filter(|epoch| epoch.at < set) {
            epoch.at = set;
            table.say(&Request::At { user, set });
        }
    }

    pub(super) fn end(&self, user: u64) {
        let mut table = self.table();
        let epoch = table
            .users
            .get_mut(&user)
            .and_then(|user| user.epoch.as_mut());
        if let Some(epoch) = epoch.filter(|epoch| !epoch.ended) {
            epoch.ended = true;
            epoch.ready.clear();
            table.say(&Request::End { user });
        }
    }

    pub(super) fn leave(&self, user: u64) {
        let mut table = self.table();
        table.users.remove(&user);
        table.say(&Request::Leave { user });
    }

    /// Says that a shard that was said to be ready is not there or is wrong.
    pub(super) fn recheck(&self, user: u64, shard: u32) {
        let mut table = self.table();
        let epoch = table
            .users
            .get_mut(&user)
            .and_then(|user| user.epoch.as_mut());
        if epoch.is_some_and(|epoch| epoch.ready.remove(&shard)) {
            table.say(&Request::Recheck { user, shard });
        }
    }

    pub(super) fn ask_figures(&self) {
        let mut table = self.table();
        table.figures = None;
        table.say(&Request::Figures);
    }

    fn run(&self) {
        loop {
            let ended = match self.find() {
                Ok(stream) => self.listen(stream),
                Err(message) => Err(message),
            };
            let mut table = self.table();
            table.stream = None;
            if let Err(message) = ended {
                table.broken = Some(message);
            }
            let broken = table.broken.is_some();
            drop(table);
            self.changed.notify_all();
            if broken {
                return;
            }
        }
    }

    /// A connection to the keeper, which may be this process from now on.
    fn find(&self) -> Result<UnixStream, String> {
        let mut clock = Awake::new();
        loop {
            let found = match Keeper::start(&self.folder, self.quota) {
                Ok(_) => socket::connect(&self.folder),
                Err(error) => return Err(unusable(self.folder.given(), &error)),
            };
            match found {
                Ok(stream) => return Ok(stream),
                // A keeper that has the lock has no socket yet, or its process is about to end.
                Err(error) => {
                    std::thread::sleep(AGAIN);
                    let socket = self.folder.socket();
                    let cause = format!("{}: {error}", socket.display());
                    self.wait_in_silence(clock.step(), Some(&cause))?;
                }
            }
        }
    }

    /// Counts a wait that brought nothing.
    fn wait_in_silence(&self, waited: Duration, cause: Option<&str>) -> Result<(), String> {
        let holder = Lock::holder(&self.folder.lock());
        let silence = &mut self.table().silence;
        silence.add(waited, self.folder.given(), holder, cause)
    }

    /// Greets the keeper, says what this process needs, and takes its answers until the connection ends. An
    /// error is for good.
    fn listen(&self, stream: UnixStream) -> Result<(), String> {
        let set_up = stream
            .set_read_timeout(Some(QUIET))
            .and_then(|()| stream.set_write_timeout(Some(LOST)))
            .and_then(|()| stream.try_clone());
        let Ok(mut writing) = set_up else {
            return Ok(());
        };
        let hello = Request::Hello {
            version: VERSION,
            quota: self.quota,
        };
        if send(&mut writing, &hello).is_err() {
            return Ok(());
        }
        let (mut reader, mut line) = (BufReader::new(stream), Vec::new());
        let (mut clock, mut asked, mut writing) = (Awake::new(), false, Some(writing));
        let mut unheard = Duration::ZERO;
        loop {
            match receive::<Reply>(&mut reader, &mut line) {
                Ok(Some(Reply::Refused {
                    user: None,
                    message,
                })) => return Err(message),
                Ok(Some(Reply::Welcome { quota, .. })) => {
                    self.table().welcome(writing.take(), quota);
                }
                Ok(Some(reply)) => self.table().take(reply),
                Ok(None) => return Ok(()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    // Until it is asked, the keeper has nothing to say.
                    let waited = clock.step();
                    if asked || self.table().stream.is_none() {
                        self.wait_in_silence(waited, None)?;
                        unheard += waited;
                    }
                    if unheard > LOST {
                        return Ok(());
                    }
                    self.table().say(&Request::Ping);
                    asked = true;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Ok(()),
            }
            clock.step();
            (asked, unheard) = (false, Duration::ZERO);
            self.table().silence.end();
            self.changed.notify_all();
        }
    }
}

/// Why a cache's folder is of no use.
pub(super) fn unusable(folder: &Path, error: &io::Error) -> String {
    format!(
        "the cache {} cannot be used: {error}: give a folder that you can write to with --cache-dir",
        folder.display()
    )
}

impl Table {
    /// Sends a request, if there is a connection; if not, everything is said again when there is one.
    fn say(&mut self, request: &Request) {
        if let Some(stream) = &mut self.stream
            && send(stream, request).is_err()
        {
            // The reader finds the end of the connection.
            let _ = stream.shutdown(std::net::Shutdown::Both);
            self.stream = None;
        }
    }

    /// Tells a new keeper everything.
    fn welcome(&mut self, stream: Option<UnixStream>, quota: u64) {
        self.stream = stream;
        self.quota = Some(quota);
        let mut requests = Vec::new();
        for (&number, user) in &mut self.users {
            requests.push(user.open(number));
            user.refused = None;
            let Some(epoch) = user.epoch.as_mut() else {
                continue;
            };
            // Maps of shards stay valid; what is not mapped yet is ready when the new keeper says so.
            epoch.ready.clear();
            epoch.begun = false;
            requests.push(epoch.begin(number));
            let (user, set) = (number, epoch.at);
            requests.push(Request::At { user, set });
            if epoch.ended {
                requests.push(Request::End { user });
            }
        }
        for request in &requests {
            self.say(request);
        }
    }

    fn take(&mut self, reply: Reply) {
        let (Reply::Refused {
            user: Some(user), ..
        }
        | Reply::Begun { user }
        | Reply::Ready { user, .. }
        | Reply::Failed { user, .. }) = reply
        else {
            if let Reply::Figures(figures) = reply {
                self.figures = Some(figures);
            }
            return;
        };
        let Some(user) = self.users.get_mut(&user) else {
            return;
        };
        let Some(epoch) = user.epoch.as_mut() else {
            // Nothing but that it is opened was asked for.
            if let Reply::Refused { message, .. } = reply {
                user.refused = Some(message);
            }
            return;
        };
        match reply {
            // The first reason counts: the others follow from it.
            Reply::Refused { message, .. } => {
                epoch.refused.get_or_insert(message);
            }
            Reply::Begun { .. } => epoch.begun = true,
            // Until it has begun, these are of the epoch before.
            Reply::Ready { shards, .. } if epoch.begun => epoch.ready.extend(shards),
            Reply::Failed { shard, message, .. } if epoch.begun => {
                epoch.failed.insert(shard, message);
            }
            _ => {}
        }
    }
}

impl User {
    fn open(&self, user: u64) -> Request {
        Request::Open {
            user,
            address: self.address.clone(),
            shards: self.shards.clone(),
        }
    }
}

impl Epoch {
    fn begin(&self, user: u64) -> Request {
        Request::Begin {
            user,
            course: self.course.clone(),
            group: self.group.clone(),
        }
    }
}
