//! Finished shards on their way into an object store, while the next ones are made.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{created, names};
use crate::error::PrepError;
use crate::ingest::journal::ShardLine;
use crate::io::objects::Store;
use crate::part::Part;

/// Shards that are uploaded at once.
const THREADS: usize = 2;
/// Finished shards that wait for their turn.
const QUEUE: usize = 1;
/// Shards on the disk at once: those, and the one that is made or waits for the queue.
pub(crate) const SHARDS_AT_ONCE: usize = THREADS + QUEUE + 1;

/// A finished shard. `shard` is its file name, also if all its images were rejected and there is no file.
pub(super) struct Finished {
    pub(super) shard: String,
    pub(super) line: ShardLine,
}

/// What the threads share.
struct Shared {
    store: Store,
    part: Part,
    /// Where the files are.
    folder: PathBuf,
    /// The objects that were there when the ingest began.
    before: BTreeSet<String>,
    /// Whether something was, or may have been, created.
    begun: Arc<AtomicBool>,
    is_stopped: AtomicBool,
    failed: Mutex<Option<PrepError>>,
}

/// Uploads shards, and after each the line of the journal that says that it is whole. Dropped, it ends what is
/// under way and leaves the rest.
pub(super) struct Uploader {
    sender: Option<Sender<Finished>>,
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Uploader {
    /// `begun` becomes true before anything is created.
    pub(super) fn new(
        store: Store,
        part: Part,
        folder: &Path,
        before: BTreeSet<String>,
        begun: Arc<AtomicBool>,
    ) -> Result<Self, PrepError> {
        let (sender, receiver) = bounded(QUEUE);
        let shared = Arc::new(Shared {
            store,
            part,
            folder: folder.to_owned(),
            before,
            begun,
            is_stopped: AtomicBool::new(false),
            failed: Mutex::new(None),
        });
        let mut uploader = Self {
            sender: Some(sender),
            threads: Vec::new(),
            shared,
        };
        for i in 0..THREADS {
            let (shared, receiver) = (Arc::clone(&uploader.shared), receiver.clone());
            let thread = std::thread::Builder::new()
                .name(format!("prep-upload-{i}"))
                .spawn(move || shared.serve(&receiver));
            let thread = thread.map_err(|error| PrepError::Threads {
                threads: THREADS,
                message: error.to_string(),
            })?;
            uploader.threads.push(thread);
        }
        Ok(uploader)
    }

    /// Queues a shard; waits while too many are under way.
    ///
    /// # Errors
    /// An earlier one could not be uploaded.
    pub(super) fn add(&self, shard: Finished) -> Result<(), PrepError> {
        self.shared.check()?;
        if let Some(sender) = &self.sender {
            // The threads take from the queue as long as it is open, also after an error.
            let _ = sender.send(shard);
        }
        Ok(())
    }

    /// Waits until all are uploaded.
    ///
    /// # Errors
    /// One could not be.
    pub(super) fn finish(&mut self) -> Result<(), PrepError> {
        self.sender = None;
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        self.shared.check()
    }

    /// Ends what is under way and leaves the rest.
    pub(super) fn stop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        self.sender = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Uploader {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn failed(&self) -> std::sync::MutexGuard<'_, Option<PrepError>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<(), PrepError> {
        self.failed().take().map_or(Ok(()), Err)
    }

    fn serve(&self, shards: &Receiver<Finished>) {
        for shard in shards {
            if self.is_stopped.load(Ordering::Relaxed) {
                continue;
            }
            if let Err(error) = self.upload(&shard) {
                self.is_stopped.store(true, Ordering::Relaxed);
                self.failed().get_or_insert(error);
            }
        }
    }

    fn upload(&self, finished: &Finished) -> Result<(), PrepError> {
        self.begun.store(true, Ordering::Relaxed);
        if let Some(entry) = &finished.line.entry {
            let file = self.folder.join(&entry.file);
            let is_there = self.before.contains(&entry.file);
            created::shard(&self.store, entry, &file, is_there)?;
            fs::remove_file(&file).map_err(PrepError::io(&file))?;
        }
        let line = serde_json::to_vec(&finished.line).expect("a journal's line becomes JSON");
        let name = names::line(self.part, &finished.shard);
        created::small(&self.store, &name, line, self.before.contains(&name)).map(drop)
    }
}
