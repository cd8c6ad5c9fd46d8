//! The output folder: files written beside, synced, renamed; removed again if the work fails.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use shardmill_formats::{Codec, RecordShape};

use crate::error::PrepError;

/// Extension of a file that is not finished.
pub(crate) const PART: &str = "part";

/// A dataset's folder while it is being made. Dropped without [`keep`](Self::keep), it takes away
/// what it made, and nothing else.
pub(crate) struct Output {
    folder: PathBuf,
    made_folder: bool,
    files: Vec<PathBuf>,
    kept: bool,
}

impl Output {
    /// Checks that `folder` is free, and makes it if it is not there.
    pub(crate) fn create(folder: &Path) -> Result<Self, PrepError> {
        check_free(folder)?;
        let made_folder = !folder.exists();
        fs::create_dir_all(folder).map_err(PrepError::io(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            made_folder,
            files: Vec::new(),
            kept: false,
        })
    }

    /// Opens `NAME.part` for reading and writing.
    pub(crate) fn begin(&mut self, name: &str) -> Result<(PathBuf, File), PrepError> {
        let path = self.folder.join(format!("{name}.{PART}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        let file = file.map_err(PrepError::io(&path))?;
        self.files.push(path.clone());
        Ok((path, file))
    }

    /// Syncs a file from [`begin`](Self::begin) and gives it its name.
    pub(crate) fn finish(&mut self, part: &Path, file: &File, name: &str) -> Result<(), PrepError> {
        let path = self.folder.join(name);
        file.sync_all().map_err(PrepError::io(part))?;
        fs::rename(part, &path).map_err(PrepError::io(&path))?;
        self.files.retain(|file| file != part);
        self.files.push(path);
        Ok(())
    }

    /// Writes a whole small file.
    pub(crate) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), PrepError> {
        let (part, mut file) = self.begin(name)?;
        file.write_all(bytes).map_err(PrepError::io(&part))?;
        self.finish(&part, &file, name)
    }

    /// Everything is there: nothing is taken away any more.
    pub(crate) fn keep(mut self) -> Result<(), PrepError> {
        sync_folder(&self.folder)?;
        self.kept = true;
        Ok(())
    }
}

/// Makes the names in a folder as lasting as their files.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), PrepError> {
    #[cfg(unix)]
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(PrepError::io(folder))?;
    let _ = folder;
    Ok(())
}

/// Writes a whole small file beside, and renames it over what may be there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), PrepError> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{PART}"));
    let part = PathBuf::from(part);
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(PrepError::io(path))
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        if self.made_folder {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// A folder is free if it is not there or holds nothing.
pub(crate) fn check_free(folder: &Path) -> Result<(), PrepError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(PrepError::OutputInUse(folder.to_owned())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(PrepError::io(folder)(error)),
    }
}

/// Compares what the shards need with what the disk under `folder` has left.
pub(crate) fn check_space(folder: &Path, needed: u64) -> Result<(), PrepError> {
    let mut existing = std::path::absolute(folder).map_err(PrepError::io(folder))?;
    while !existing.exists() && existing.pop() {}
    let available = fs4::available_space(&existing).map_err(PrepError::io(&existing))?;
    if available < needed {
        let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
        return Err(PrepError::DiskFull {
            path: existing,
            needed: megabytes(needed),
            available: available / 1_000_000,
        });
    }
    Ok(())
}

/// Bytes that a record takes, generously, with its index entry.
pub(crate) fn bytes_per_record(codec: Codec, shape: RecordShape) -> u64 {
    let pixels = shape.pixels() as u64;
    100 + match codec {
        Codec::Raw => pixels * 3,
        Codec::Zstd => pixels * 9 / 4,
        Codec::Jpeg => pixels / 2,
    }
}
