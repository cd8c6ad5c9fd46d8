//! The local folder in which shards are made before they are uploaded.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::path::{Path, PathBuf};

use crate::error::PrepError;
use crate::io::{file, finished_name};

/// Locked while an ingest uses the folder.
const LOCK: &str = "lock";

/// A folder that belongs to one part of one ingest, always the same, so that what a kill leaves in it is removed by
/// the next run. It is removed in the end, and while it is dropped, with the shards that are left in it.
pub(super) struct Workspace {
    folder: PathBuf,
    /// File names of planned shards: what may be removed.
    planned: BTreeSet<String>,
    lock: Option<File>,
}

impl Workspace {
    /// Makes the folder of this `id` in `parent`, or takes over the one that an interrupted run left.
    ///
    /// # Errors
    /// Another process uses it, or it belongs to somebody else.
    pub(super) fn new(
        parent: &Path,
        id: &str,
        planned: BTreeSet<String>,
    ) -> Result<Self, PrepError> {
        fs::create_dir_all(parent).map_err(PrepError::io(parent))?;
        let folder = folder(parent, id);
        let refused = |message: &str| PrepError::Source {
            path: folder.clone(),
            message: format!("{message}, or give another folder with --work"),
        };
        match private(&mut DirBuilder::new()).create(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                if !is_own(&folder)? {
                    return Err(refused(
                        "it is no folder that this user alone can write to: move it away",
                    ));
                }
            }
            Err(error) => return Err(PrepError::io(&folder)(error)),
        }
        let path = folder.join(LOCK);
        let lock = match file::look(&path)? {
            Some(_) => file::open(&path)?,
            None => file::create(&path)?,
        };
        if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
            return Err(refused(
                "another prep is making the same shards in it: wait until it has ended",
            ));
        }
        let workspace = Self {
            folder,
            planned,
            lock: Some(lock),
        };
        workspace.clear()?;
        Ok(workspace)
    }

    /// Whether a run has made the folder of this `id` and not removed it.
    pub(super) fn is_there(parent: &Path, id: &str) -> bool {
        folder(parent, id).exists()
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Removes shards, finished or not.
    fn clear(&self) -> Result<(), PrepError> {
        let entries = fs::read_dir(&self.folder).map_err(PrepError::io(&self.folder))?;
        for entry in entries {
            let entry = entry.map_err(PrepError::io(&self.folder))?;
            let name = entry.file_name();
            if self
                .planned
                .contains(finished_name(&name.to_string_lossy()))
            {
                file::remove_left(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = self.clear();
        let _ = fs::remove_file(self.folder.join(LOCK));
        self.lock = None;
        // It stays if it holds something else.
        let _ = fs::remove_dir(&self.folder);
    }
}

fn folder(parent: &Path, id: &str) -> PathBuf {
    parent.join(format!("shardmill-ingest-{id}"))
}

/// A folder for this user alone.
fn private(builder: &mut DirBuilder) -> &mut DirBuilder {
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700);
    builder
}

/// Whether this is a folder of this user's that nobody else can write to.
fn is_own(folder: &Path) -> Result<bool, PrepError> {
    let data = fs::symlink_metadata(folder).map_err(PrepError::io(folder))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        let user = rustix::process::geteuid().as_raw();
        Ok(data.is_dir() && data.uid() == user && data.mode() & 0o022 == 0)
    }
    #[cfg(not(unix))]
    Ok(data.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned() -> BTreeSet<String> {
        BTreeSet::from(["train-00000-of-00001.safetensors".to_owned()])
    }

    #[test]
    fn what_a_kill_left_is_removed_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("work/shardmill-ingest-1");
        fs::create_dir_all(&folder).unwrap();
        for name in ["train-00000-of-00001.safetensors.part", "train.txt", LOCK] {
            fs::write(folder.join(name), "x").unwrap();
        }
        let workspace = Workspace::new(&scratch.path().join("work"), "1", planned()).unwrap();
        let again = Workspace::new(&scratch.path().join("work"), "1", planned());
        let text = again.err().unwrap().to_string();
        assert!(text.contains("another prep"), "{text}");
        fs::write(folder.join("train-00000-of-00001.safetensors"), "x").unwrap();
        drop(workspace);
        let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "train.txt");
        fs::remove_file(left[0].path()).unwrap();
        drop(Workspace::new(&scratch.path().join("work"), "1", planned()).unwrap());
        assert!(!folder.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_no_folder_to_work_in() {
        let scratch = tempfile::tempdir().unwrap();
        let elsewhere = scratch.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let link = scratch.path().join("shardmill-ingest-1");
        std::os::unix::fs::symlink(&elsewhere, link).unwrap();
        let refused = Workspace::new(scratch.path(), "1", planned());
        let text = refused.err().unwrap().to_string();
        assert!(text.contains("--work"), "{text}");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }
}
