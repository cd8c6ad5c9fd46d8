//! Follows `metrics.jsonl` as it grows.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::checkpoint::{Checkpoint, RunState};
use crate::run::LAST;
use crate::run::log::History;
use crate::tools::watch::WatchError;

/// Bytes before the place that was read to, which show whether the file is still the same.
const TAIL: usize = 512;

/// What a run has logged, read piece by piece.
#[derive(Debug)]
pub(crate) struct Follower {
    run: PathBuf,
    history: History,
    /// Bytes that were read: whole lines.
    offset: u64,
    /// The last of them.
    tail: Vec<u8>,
    exists: bool,
    /// When the file last changed.
    modified: Option<SystemTime>,
    /// What the last checkpoint says, and the time of its file.
    checkpoint: Option<(SystemTime, RunState)>,
}

impl Follower {
    /// Follows the run in `run`, which need not exist yet.
    ///
    /// # Errors
    /// A file of that name.
    pub(crate) fn new(run: &Path) -> Result<Self, WatchError> {
        if run.exists() && !run.is_dir() {
            return Err(WatchError::NoFolder { path: run.into() });
        }
        Ok(Self {
            run: run.into(),
            history: History::default(),
            offset: 0,
            tail: Vec::new(),
            exists: false,
            modified: None,
            checkpoint: None,
        })
    }

    /// Reads what is new. A file that was cut, as when a run is resumed, or replaced is read from its
    /// beginning.
    ///
    /// # Errors
    /// A file that cannot be read; none is no error.
    pub(crate) fn poll(&mut self) -> Result<(), WatchError> {
        let path = self.run.join("metrics.jsonl");
        let error = |source| WatchError::Read {
            path: path.clone(),
            source,
        };
        match File::open(&path) {
            Ok(file) => self.read(file).map_err(error)?,
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                self.forget();
                self.exists = false;
            }
            Err(cause) => return Err(error(cause)),
        }
        self.peek();
        Ok(())
    }

    fn read(&mut self, mut file: File) -> io::Result<()> {
        let data = file.metadata()?;
        self.exists = true;
        self.modified = data.modified().ok();
        if !self.is_same(&mut file, data.len())? {
            self.forget();
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let read = self.history.append(&bytes);
        self.offset += read as u64;
        self.tail.extend(&bytes[..read]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        Ok(())
    }

    /// Whether the file still holds what was read last. Lines that are written again have other times in
    /// them.
    fn is_same(&self, file: &mut File, length: u64) -> io::Result<bool> {
        if length < self.offset {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.offset - self.tail.len() as u64))?;
        let mut tail = vec![0; self.tail.len()];
        match file.read_exact(&mut tail) {
            Ok(()) => Ok(tail == self.tail),
            // Cut since its length was asked for.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn forget(&mut self) {
        self.history = History::default();
        self.offset = 0;
        self.tail.clear();
    }

    /// Reads the head of the last checkpoint where that has changed. It says nothing that a curve needs, so
    /// that one which cannot be read is left out.
    fn peek(&mut self) {
        let path = self.run.join(LAST);
        let modified = fs::metadata(&path).and_then(|data| data.modified()).ok();
        let known = self.checkpoint.as_ref().map(|(time, _)| *time);
        if modified != known {
            let peeked = modified.zip(Checkpoint::peek(&path).ok());
            self.checkpoint = peeked;
        }
    }

    /// The folder.
    pub(crate) fn run(&self) -> &Path {
        &self.run
    }

    /// Whether there is a file.
    pub(crate) const fn exists(&self) -> bool {
        self.exists
    }

    /// What was read so far.
    pub(crate) const fn history(&self) -> &History {
        &self.history
    }

    /// What the last checkpoint says.
    pub(crate) fn checkpoint(&self) -> Option<&RunState> {
        self.checkpoint.as_ref().map(|(_, state)| state)
    }

    /// Whether the last checkpoint was written after the last line.
    pub(crate) fn is_saved(&self) -> bool {
        let saved = self.checkpoint.as_ref().map(|(time, _)| *time);
        saved.is_some() && saved >= self.modified
    }

    /// The time since the file last changed.
    pub(crate) fn age(&self) -> Option<Duration> {
        let modified = self.modified?;
        // A clock that runs behind the file's has seen it change just now.
        Some(modified.elapsed().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::Path;

    use super::Follower;

    fn epoch(epoch: u64, loss: f64) -> String {
        format!(
            "{{\"event\":\"epoch\",\"epoch\":{epoch},\"step\":{epoch},\"lr\":0.01,\"loss\":{loss:?},\
             \"top1_error\":9.0,\"top5_error\":1.0}}\n"
        )
    }

    fn append(path: &Path, text: &str) {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn losses(follower: &mut Follower) -> Vec<f64> {
        follower.poll().unwrap();
        let epochs = &follower.history().epochs;
        epochs.iter().map(|point| point.loss).collect()
    }

    #[test]
    fn a_file_is_waited_for_and_followed_line_by_line() {
        let parent = tempfile::tempdir().unwrap();
        let run = parent.path().join("run");
        let path = run.join("metrics.jsonl");
        let mut follower = Follower::new(&run).unwrap();
        assert!(losses(&mut follower).is_empty());
        assert!(!follower.exists());
        fs::create_dir(&run).unwrap();
        append(&path, &epoch(1, 5.0));
        let second = epoch(2, 4.0);
        append(&path, &second[..20]);
        assert_eq!(losses(&mut follower), [5.0]);
        assert!(follower.exists() && follower.history().is_cut);
        append(&path, &second[20..]);
        assert_eq!(losses(&mut follower), [5.0, 4.0]);
        assert_eq!(losses(&mut follower), [5.0, 4.0]);
        assert_eq!(follower.history().unknown_lines, 0);
        fs::remove_file(&path).unwrap();
        assert!(losses(&mut follower).is_empty());
    }

    #[test]
    fn a_file_that_a_resume_cuts_is_read_again() {
        let run = tempfile::tempdir().unwrap();
        let path = run.path().join("metrics.jsonl");
        let mut follower = Follower::new(run.path()).unwrap();
        append(&path, &(epoch(1, 5.0) + &epoch(2, 4.0)));
        assert_eq!(losses(&mut follower), [5.0, 4.0]);
        // Shorter, of the same length, and longer than what was read.
        for again in [
            vec![epoch(1, 5.0)],
            vec![epoch(1, 5.0), epoch(2, 3.0)],
            vec![epoch(1, 5.0), epoch(2, 2.0), epoch(3, 1.0)],
        ] {
            fs::write(&path, again.concat()).unwrap();
            let expected: Vec<f64> = match again.len() {
                1 => vec![5.0],
                2 => vec![5.0, 3.0],
                _ => vec![5.0, 2.0, 1.0],
            };
            assert_eq!(losses(&mut follower), expected);
        }
    }

    #[test]
    fn a_file_in_place_of_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Follower::new(&file).unwrap_err().to_string();
        assert!(error.contains("no folder"), "{error}");
    }
}
