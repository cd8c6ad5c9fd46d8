//! Single files of an output folder.
//!
//! A file with a name of ours may belong to the user: a link to a precious file, a FIFO, a device. So a new
//! file is created only where nothing exists ([`create`]); an existing file is opened only if it is a plain
//! file ([`open`]), and neither truncated nor replaced before that is known. Links are never followed: no
//! target of a link is read, written, truncated or removed, whenever the link was put there. A link that
//! appears between the check and the renaming of a finished file is itself replaced. The folders that lead to
//! the output folder, and that folder itself, may be links; that is up to the user.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::PART;
use crate::error::PrepError;

/// Creates a new file for reading and writing.
pub(crate) fn create(path: &Path) -> Result<File, PrepError> {
    // `create_new` neither opens an existing file nor follows a link.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path);
    file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => PrepError::NotOurs(path.to_owned()),
        _ => PrepError::io(path)(error),
    })
}

/// Opens a plain file for reading and appending.
pub(crate) fn open(path: &Path) -> Result<File, PrepError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    open_plain(path, &mut options)
}

/// Opens a plain file for overwriting bytes in place.
pub(crate) fn open_to_write(path: &Path) -> Result<File, PrepError> {
    open_plain(path, OpenOptions::new().write(true))
}

/// Opens a plain file for reading.
pub(crate) fn open_to_read(path: &Path) -> Result<File, PrepError> {
    open_plain(path, OpenOptions::new().read(true))
}

fn open_plain(path: &Path, options: &mut OpenOptions) -> Result<File, PrepError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        // The system itself refuses a link, and opening a FIFO does not block.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits() as i32);
    }
    let refused = |error: io::Error| match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => PrepError::NotOurs(path.to_owned()),
        _ => PrepError::io(path)(error),
    };
    // Other systems need a check first.
    let plain = look(path)?;
    let file = options.open(path).map_err(refused)?;
    let opened = file.metadata().map_err(PrepError::io(path))?;
    if plain.is_none() || !opened.is_file() {
        return Err(PrepError::NotOurs(path.to_owned()));
    }
    Ok(file)
}

/// The metadata of a plain file, if it exists.
///
/// # Errors
/// A link, a folder, or anything else that is not a plain file.
pub(crate) fn look(path: &Path) -> Result<Option<Metadata>, PrepError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found)),
        Ok(_) => Err(PrepError::NotOurs(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PrepError::io(path)(error)),
    }
}

/// Removes a plain file that an interrupted run left, if it exists.
pub(crate) fn remove_left(path: &Path) -> Result<(), PrepError> {
    match look(path)? {
        Some(_) => fs::remove_file(path).map_err(PrepError::io(path)),
        None => Ok(()),
    }
}

/// Name of the unfinished file beside `path`.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".");
    part.push(PART);
    part.into()
}

/// Syncs a finished file and gives it its name; an older file of prep of that name is replaced.
pub(crate) fn finish(part: &Path, file: &File, path: &Path) -> Result<(), PrepError> {
    file.sync_all().map_err(PrepError::io(part))?;
    look(path)?;
    fs::rename(part, path).map_err(PrepError::io(path))
}

/// Writes a whole small file beside `path` and renames it, so that an older file of prep is replaced at once.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), PrepError> {
    look(path)?;
    let part = part_of(path);
    remove_left(&part)?;
    let mut file = create(&part)?;
    let written = file.write_all(bytes).map_err(PrepError::io(&part));
    written
        .and_then(|()| finish(&part, &file, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(&part);
        })
}

/// Syncs a folder, so that the names in it last as their files do.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), PrepError> {
    #[cfg(unix)]
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(PrepError::io(folder))?;
    let _ = folder;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder, and a file outside of it that must stay as it is.
    fn precious() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().join("out");
        fs::create_dir(&out).unwrap();
        let victim = scratch.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        (scratch, out, victim)
    }

    #[test]
    fn nothing_is_read_written_or_removed_through_a_link() {
        let (_scratch, out, victim) = precious();
        let link = out.join("x");
        symlink(&victim, &link).unwrap();
        let refused = |result: Result<(), PrepError>| {
            assert!(matches!(result, Err(PrepError::NotOurs(_))), "{result:?}");
        };
        refused(open(&link).map(drop));
        refused(open_to_read(&link).map(drop));
        refused(create(&link).map(drop));
        refused(remove_left(&link));
        refused(replace(&link, b"mine"));
        let part = out.join("y.part");
        symlink(&victim, &part).unwrap();
        refused(replace(&out.join("y"), b"mine"));
        let dangling = out.join("z.part");
        symlink(out.join("nowhere"), &dangling).unwrap();
        refused(replace(&out.join("z"), b"mine"));
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 3);
        assert!(!out.join("nowhere").exists());
    }

    #[test]
    fn a_fifo_is_refused_without_waiting() {
        let (_scratch, out, _) = precious();
        let path = out.join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert!(matches!(open(&path), Err(PrepError::NotOurs(_))));
        assert!(matches!(open_to_read(&path), Err(PrepError::NotOurs(_))));
        assert!(matches!(replace(&path, b""), Err(PrepError::NotOurs(_))));
    }

    #[test]
    fn a_leftover_part_and_an_older_file_are_replaced() {
        let (_scratch, out, _) = precious();
        let path = out.join("manifest.json");
        fs::write(&path, "old").unwrap();
        fs::write(part_of(&path), "half").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    }
}
