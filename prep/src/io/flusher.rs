//! Writes out a file's pages while it still grows, so that the sync at its end finds little to do.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::io::file;

/// A thread that syncs files. An error here is not lost: the last sync of the file reports it too, since the
/// system reports a failed write to every open file description.
pub(crate) struct Flusher {
    sender: Option<SyncSender<PathBuf>>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = sync_channel::<PathBuf>(1);
        let work = move || {
            for path in receiver {
                let _ = file::open_to_read(&path).map(|file| file.sync_data());
            }
        };
        // Without the thread only time is lost.
        let thread = std::thread::Builder::new()
            .name("prep-flush".to_owned())
            .spawn(work);
        Self {
            sender: Some(sender),
            thread: thread.ok(),
        }
    }

    /// Requests a flush, unless two requests are pending.
    pub(crate) fn flush(&self, path: &Path) {
        if let Some(sender) = &self.sender {
            let _ = sender.try_send(path.to_owned());
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
