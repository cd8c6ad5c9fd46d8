//! The cache's folder: which files in it are the cache's, and how they get there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const SHARD: &str = "shard";
const PART: &str = "part";
const LOCK: &str = "shardmill-cache.lock";
const SOCKET: &str = "shardmill-cache.socket";

/// A folder in which shards have the names of their bytes: `BLAKE3.shard`, and `BLAKE3.part` while they
/// arrive. No other file is counted, changed or deleted.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder, for this user alone, if there is none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        let path = path.canonicalize()?;
        Ok(Self { path })
    }

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

    fn part(&self, blake3: &str) -> PathBuf {
        self.path.join(format!("{blake3}.{PART}"))
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

    /// An empty file for a shard that is to arrive, in place of what has its name. No link is followed.
    pub(super) fn begin(&self, blake3: &str) -> io::Result<File> {
        match fs::remove_file(self.part(blake3)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        options.open(self.part(blake3))
    }

    /// Gives a shard that has arrived its name. Its bytes are on the disk first: after a power cut, a
    /// shard under its name is whole.
    pub(super) fn finish(&self, blake3: &str, file: &File) -> io::Result<()> {
        file.sync_data()?;
        fs::rename(self.part(blake3), self.shard(blake3))
    }

    /// Deletes what arrived of a shard.
    pub(super) fn abandon(&self, blake3: &str) {
        let _ = fs::remove_file(self.part(blake3));
    }

    /// Deletes a shard; that it is gone already is no error.
    pub(super) fn remove(&self, blake3: &str) -> io::Result<()> {
        match fs::remove_file(self.shard(blake3)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// BLAKE3 and kind of one of the cache's files; `None` for any other name.
fn ours(name: &str) -> Option<(&str, &str)> {
    let (blake3, kind) = name.split_once('.')?;
    (is_blake3(blake3) && [SHARD, PART].contains(&kind)).then_some((blake3, kind))
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
        let folder = Folder::open(&temporary.path().join("a/cache")).unwrap();
        let blake3 = "0123456789abcdef".repeat(4);
        let foreign = [
            format!("{}.shard", &blake3[1..]),
            format!("{}.shard", blake3.to_uppercase()),
            format!("{blake3}.shard.bak"),
            format!("{blake3}.jpg"),
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
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            foreign.len() + 1
        );
    }

    #[test]
    fn a_shard_has_its_name_when_it_is_whole() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let blake3 = "a".repeat(64);
        let file = folder.begin(&blake3).unwrap();
        fs::write(folder.part(&blake3), "bytes").unwrap();
        assert!(!folder.shard(&blake3).exists());
        folder.finish(&blake3, &file).unwrap();
        assert_eq!(fs::read(folder.shard(&blake3)).unwrap(), b"bytes");
    }
}
