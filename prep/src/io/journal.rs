//! The journal of unfinished work: a first line that says what is being made, and a line for each finished part
//! of it, so that a run that was killed can be resumed.

use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::file;
use crate::error::PrepError;

/// Longest first line that is accepted, in bytes: twice the longest manifest.
const LONGEST_HEADER: u64 = 128 << 20;

/// A journal, locked for this process while it is open.
pub(crate) struct Journal<H, L> {
    pub(crate) header: H,
    pub(crate) lines: Vec<L>,
    path: PathBuf,
    file: File,
    /// Where an incomplete last line begins.
    torn: Option<u64>,
}

impl<H: Serialize + DeserializeOwned, L: Serialize + DeserializeOwned> Journal<H, L> {
    /// Begins a journal in a new file.
    pub(crate) fn create(path: &Path, header: H) -> Result<Self, PrepError> {
        let file = file::create(path)?;
        lock(&file, path)?;
        let mut journal = Self {
            header,
            lines: Vec::new(),
            path: path.to_owned(),
            file,
            torn: None,
        };
        let line = json(&journal.header);
        journal.write(&line).inspect_err(|_| {
            let _ = std::fs::remove_file(path);
        })?;
        Ok(journal)
    }

    /// Opens an existing journal. `None` if its first line is incomplete. Nothing is changed before the next
    /// [`append`](Self::append).
    ///
    /// # Errors
    /// A file that is not a journal, or one that another process has locked.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, PrepError> {
        let mut file = file::open(path)?;
        lock(&file, path)?;
        let Some((header, rest)) = read_header(&file, path)? else {
            return Ok(None);
        };
        let mut text = rest;
        file.read_to_end(&mut text).map_err(PrepError::io(path))?;
        let whole = text
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        let torn = (text.len() - whole) as u64;
        let len = file.metadata().map_err(PrepError::io(path))?.len();
        let lines = text[..whole].split_inclusive(|&byte| byte == b'\n');
        let lines = (2..).zip(lines).map(|(number, line): (usize, &[u8])| {
            serde_json::from_slice(line).map_err(|error| PrepError::Source {
                path: path.to_owned(),
                message: format!(
                    "line {number} of the journal is damaged ({error}): remove the folder around it, \
                     and begin again"
                ),
            })
        });
        Ok(Some(Self {
            header,
            lines: lines.collect::<Result<_, _>>()?,
            path: path.to_owned(),
            file,
            torn: (torn > 0).then(|| len.saturating_sub(torn)),
        }))
    }

    /// The first line of a journal that another process may have locked; `None` if it is incomplete.
    pub(crate) fn header_of(path: &Path) -> Result<Option<H>, PrepError> {
        let file = file::open_to_read(path)?;
        Ok(read_header(&file, path)?.map(|(header, _)| header))
    }

    /// Whether a file with an incomplete first line is the beginning of a journal of `header`, or empty.
    pub(crate) fn is_begun(path: &Path, header: &H) -> Result<bool, PrepError> {
        let line = json(header);
        let file = file::open_to_read(path)?;
        let mut found = Vec::new();
        file.take(line.len() as u64 + 1)
            .read_to_end(&mut found)
            .map_err(PrepError::io(path))?;
        Ok(line.as_bytes().starts_with(&found))
    }

    /// Appends a line and syncs it.
    pub(crate) fn append(&mut self, line: L) -> Result<(), PrepError> {
        if let Some(end) = self.torn.take() {
            self.file.set_len(end).map_err(PrepError::io(&self.path))?;
        }
        self.write(&json(&line))?;
        self.lines.push(line);
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, line: &str) -> Result<(), PrepError> {
        // One write, so that a full disk leaves at most one unfinished line.
        self.file
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| self.file.sync_all())
            .map_err(PrepError::io(&self.path))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a journal's line becomes JSON")
}

/// The first line, and what was read after it; `None` if it is incomplete.
fn read_header<H: DeserializeOwned>(
    file: &File,
    path: &Path,
) -> Result<Option<(H, Vec<u8>)>, PrepError> {
    let mut reader = BufReader::new(file.take(LONGEST_HEADER));
    let mut line = Vec::new();
    reader
        .read_until(b'\n', &mut line)
        .map_err(PrepError::io(path))?;
    if line.last() != Some(&b'\n') {
        return match line.len() as u64 {
            LONGEST_HEADER => Err(no_journal(path)),
            _ => Ok(None),
        };
    }
    let header = serde_json::from_slice(&line).map_err(|_| no_journal(path))?;
    Ok(Some((header, reader.buffer().to_vec())))
}

pub(super) fn no_journal(path: &Path) -> PrepError {
    PrepError::Source {
        path: path.to_owned(),
        message:
            "it has the name of a journal of prep but is not one, and is left unchanged: move it \
                  away, or choose another --out"
                .to_owned(),
    }
}

/// Longest wait for a lock. A process that is just starting another one, on another thread, keeps a copy of every
/// open file until the child runs, even of files that it has closed meanwhile.
const LOCK_WAIT: Duration = Duration::from_millis(500);

fn lock(file: &File, path: &Path) -> Result<(), PrepError> {
    let start = Instant::now();
    loop {
        match file.try_lock() {
            // A file system without locks is no reason to refuse.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_WAIT => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(PrepError::Source {
                    path: path.to_owned(),
                    message: "another prep is using it: wait until it has ended".to_owned(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Numbers = Journal<String, u32>;

    #[test]
    fn a_torn_line_is_cut_by_the_next_one_and_not_before() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("j");
        let mut journal = Numbers::create(&path, "work".to_owned()).unwrap();
        journal.append(7).unwrap();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"12"].concat()).unwrap();
        let mut journal = Numbers::open(&path).unwrap().unwrap();
        assert_eq!(
            (journal.header.as_str(), &journal.lines[..]),
            ("work", &[7][..])
        );
        assert_eq!(fs::read(&path).unwrap().len(), whole.len() + 2);
        journal.append(8).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"\"work\"\n7\n8\n");
    }

    #[test]
    fn what_is_no_journal_stays_as_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("j");
        for text in ["precious\n", "{\"a\":1}\nmore", "\u{0}\n"] {
            fs::write(&path, text).unwrap();
            let error = Numbers::open(&path).err().unwrap().to_string();
            assert!(error.contains("move it away"), "{error}");
            assert!(Numbers::header_of(&path).is_err());
            assert_eq!(fs::read(&path).unwrap(), text.as_bytes());
        }
        for (text, begun) in [("precious", false), ("\"wo", true), ("", true)] {
            fs::write(&path, text).unwrap();
            assert!(Numbers::open(&path).unwrap().is_none());
            assert_eq!(Numbers::is_begun(&path, &"work".to_owned()).unwrap(), begun);
            assert_eq!(fs::read(&path).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_journal_is_held_by_one() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("j");
        let _held = Numbers::create(&path, "work".to_owned()).unwrap();
        let error = Numbers::open(&path).err().unwrap().to_string();
        assert!(error.contains("another prep"), "{error}");
    }
}
