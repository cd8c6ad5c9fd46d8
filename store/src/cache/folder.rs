//! The cache's folder: which files in it are the cache's, and how they get there.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

const OWN: &str = "shardmill-cache";
const MARKER: &str = "CACHEDIR.TAG";
const SHARD: &str = "shard";
const PART: &str = "part";
const LOCK: &str = "shardmill-cache.lock";
const SOCKET: &str = "shardmill-cache.socket";

/// What the marker holds. The first line is that of the Cache Directory Tagging Specification
/// (<https://bford.info/cachedir/>), by which backups leave the folder out.
const MARK: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # Shards of object stores that Shardmill keeps while they are needed. What is in this folder is counted and\n\
    # deleted by Shardmill. Delete the folder when no program uses it to free its space.\n";

/// A folder of the cache's own in the one that the user gave, with a marker in it. Shards have the names of
/// their bytes there, `BLAKE3.shard`. No other file is counted, changed or deleted.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    given: PathBuf,
    path: PathBuf,
}

impl Folder {
    /// Makes the folder, for this user alone, if there is none. One of its name that holds files and has no
    /// marker is somebody else's, and refused.
    pub(super) fn open(given: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(given)?;
        let given = given.canonicalize()?;
        let path = given.join(OWN);
        builder.create(&path)?;
        let folder = Self { given, path };
        if fs::symlink_metadata(&folder.path)?.is_dir() {
            folder.mark()?;
            return Ok(folder);
        }
        Err(folder.strange("is no folder, but a link"))
    }

    /// Writes the marker, if there is none.
    fn mark(&self) -> io::Result<()> {
        let path = self.path.join(MARKER);
        let is_empty = fs::read_dir(&self.path)?.next().is_none();
        // A process that was killed, or is at it, has written a part of it.
        let found = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() && found.len() <= MARK.len() as u64 => fs::read(&path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_empty => Vec::new(),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Err(self.strange("holds files and has no marker of the cache")),
        };
        match MARK.as_bytes().strip_prefix(&*found) {
            Some([]) => Ok(()),
            Some(_) => fs::write(path, MARK),
            None => Err(self.strange("has a marker that the cache did not write")),
        }
    }

    fn strange(&self, what: &str) -> io::Error {
        let path = self.path.display();
        io::Error::other(format!(
            "{path} {what}, so something else made it: remove it"
        ))
    }

    /// The folder that the user gave.
    pub(super) fn given(&self) -> &Path {
        &self.given
    }

    /// The cache's own folder in it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.path.join(LOCK)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }

    pub(super) fn shard(&self, blake3: &str) -> PathBuf {
        self.path.join(format!("{blake3}.{SHARD}"))
    }

    /// The name of a shard that arrives, where it must have one. Two keepers have different ones: the second
    /// may begin before the first knows that it is none any more.
    pub(super) fn part(&self, blake3: &str) -> PathBuf {
        let process = std::process::id();
        self.path.join(format!("{blake3}.{process}.{PART}"))
    }

    /// The shards that are here, with their sizes in bytes. What an earlier keeper left unfinished is
    /// deleted.
    pub(super) fn scan(&self) -> io::Result<Vec<(String, u64)>> {
        let mut shards = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((blake3, kind)) = name.to_str().and_then(ours) else {
                continue;
            };
            let found = entry.metadata()?;
            if !found.is_file() {
                continue;
            }
            match kind {
                SHARD => shards.push((blake3.to_owned(), found.len())),
                _ => fs::remove_file(entry.path())?,
            }
        }
        shards.sort_unstable();
        Ok(shards)
    }

    /// Makes way for a shard: a file of its name is deleted. Anything else is not the cache's.
    ///
    /// # Errors
    /// A link, a FIFO, a folder, ... has the shard's name.
    pub(super) fn clear(&self, blake3: &str) -> io::Result<()> {
        let path = self.shard(blake3);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => fs::remove_file(path),
            Ok(found) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!(
                    "{} is {} that something else made in the place of a shard: remove it",
                    path.display(),
                    kind_of(&found)
                ),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes a shard; that it is gone already is no error.
    pub(super) fn remove(&self, blake3: &str) -> io::Result<()> {
        match self.clear(blake3) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

fn kind_of(found: &Metadata) -> &'static str {
    match found.file_type() {
        kind if kind.is_symlink() => "a link",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// BLAKE3 and kind of one of the cache's files; `None` for any other name.
fn ours(name: &str) -> Option<(&str, &str)> {
    let (blake3, rest) = name.split_once('.')?;
    let kind = match rest.rsplit_once('.') {
        Some((process, PART)) if process.bytes().all(|b| b.is_ascii_digit()) => PART,
        None if rest == SHARD => SHARD,
        _ => return None,
    };
    is_blake3(blake3).then_some((blake3, kind))
}

/// Whether a text is a BLAKE3 as manifests write it.
pub(super) fn is_blake3(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_caches_names_are_counted_or_deleted() {
        let temporary = tempfile::tempdir().unwrap();
        let given = temporary.path().join("a/cache");
        let blake3 = "0123456789abcdef".repeat(4);
        // The user's own file, whose name is a shard's, beside the cache's folder.
        fs::create_dir_all(&given).unwrap();
        let own = given.join(format!("{blake3}.shard"));
        fs::write(&own, "mine").unwrap();
        let folder = Folder::open(&given).unwrap();
        assert_eq!(folder.scan().unwrap(), []);
        let foreign = [
            format!("{}.shard", &blake3[1..]),
            format!("{}.shard", blake3.to_uppercase()),
            format!("{blake3}.shard.bak"),
            format!("{blake3}.jpg"),
            format!("{blake3}.a.part"),
            "photo.part".to_owned(),
        ];
        for name in &foreign {
            fs::write(folder.path().join(name), "mine").unwrap();
        }
        fs::create_dir(folder.path().join(format!("{}.shard", "f".repeat(64)))).unwrap();
        fs::write(folder.shard(&blake3), "bytes").unwrap();
        fs::write(folder.part(&blake3), "byt").unwrap();
        assert_eq!(folder.scan().unwrap(), [(blake3.clone(), 5)]);
        assert!(!folder.part(&blake3).exists());
        folder.remove(&blake3).unwrap();
        folder.remove(&blake3).unwrap();
        // The marker and the folder are the other two.
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            foreign.len() + 2
        );
        assert_eq!(fs::read(own).unwrap(), b"mine");
    }

    #[test]
    fn a_folder_that_the_cache_did_not_make_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let own = temporary.path().join(OWN);
        let refusal = || Folder::open(temporary.path()).unwrap_err().to_string();
        fs::create_dir(&own).unwrap();
        fs::write(own.join("notes"), "mine").unwrap();
        assert!(refusal().contains("has no marker"), "{}", refusal());
        fs::write(own.join(MARKER), "Signature: mine").unwrap();
        assert!(refusal().contains("did not write"), "{}", refusal());
        fs::remove_dir_all(&own).unwrap();
        std::os::unix::fs::symlink(temporary.path(), &own).unwrap();
        assert!(refusal().contains("a link"), "{}", refusal());
        // An empty one, and one whose marker was cut short, are the cache's.
        fs::remove_file(&own).unwrap();
        fs::create_dir(&own).unwrap();
        for cut in [None, Some(0), Some(20), Some(MARK.len())] {
            if let Some(cut) = cut {
                fs::write(own.join(MARKER), &MARK[..cut]).unwrap();
            }
            Folder::open(temporary.path()).unwrap();
            assert_eq!(fs::read_to_string(own.join(MARKER)).unwrap(), MARK);
        }
    }

    #[test]
    fn what_is_no_file_is_not_removed_from_a_shards_place() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let blake3 = "a".repeat(64);
        let path = folder.shard(&blake3);
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        let error = folder.clear(&blake3).unwrap_err().to_string();
        assert!(
            error.contains("is a link that something else made"),
            "{error}"
        );
        folder.remove(&blake3).unwrap();
        assert!(path.is_symlink());
    }
}
