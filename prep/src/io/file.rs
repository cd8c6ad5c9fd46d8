//! Single files of an output folder.
//!
//! What stands under a name of ours may be somebody else's: a link to a file that is dear to them, a FIFO,
//! a device. So a new file is made only where nothing is ([`create`]), a file that is there is opened only
//! if it is a plain one ([`open`]), and is neither cut nor replaced before that is known. Links are never
//! followed: no target of a link is read, written, cut or removed, whoever puts the link there and when.
//! A link that appears between the look and the renaming of a finished file is itself replaced. The folders
//! on the way to the output folder, and that folder itself, may be links; that is the user's business.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::PART;
use crate::error::PrepError;

/// Makes a file that was not there, for reading and writing.
pub(crate) fn create(path: &Path) -> Result<File, PrepError> {
    // `create_new` neither opens what is there nor follows a link.
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

/// Opens a plain file for writing over its bytes.
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

        // The system itself refuses a link, and a FIFO does not keep us waiting.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits() as i32);
    }
    let refused = |error: io::Error| match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => PrepError::NotOurs(path.to_owned()),
        _ => PrepError::io(path)(error),
    };
    // Elsewhere a look comes first.
    let plain = look(path)?;
    let file = options.open(path).map_err(refused)?;
    let opened = file.metadata().map_err(PrepError::io(path))?;
    if plain.is_none() || !opened.is_file() {
        return Err(PrepError::NotOurs(path.to_owned()));
    }
    Ok(file)
}

/// The plain file that is there, if anything is.
///
/// # Errors
/// A link, a folder, or anything else that is no plain file.
pub(crate) fn look(path: &Path) -> Result<Option<Metadata>, PrepError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found)),
        Ok(_) => Err(PrepError::NotOurs(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PrepError::io(path)(error)),
    }
}

/// Removes a plain file of ours that an interrupted run left, if it is there.
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

/// Syncs a finished file and gives it its name, in the place of an older file of ours if there is one.
pub(crate) fn finish(part: &Path, file: &File, path: &Path) -> Result<(), PrepError> {
    file.sync_all().map_err(PrepError::io(part))?;
    look(path)?;
    fs::rename(part, path).map_err(PrepError::io(path))
}

/// Writes a whole small file beside, and renames it over an older one of ours.
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

/// Makes the names in a folder as lasting as their files.
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
    fn a_fifo_is_refused_and_keeps_nobody_waiting() {
        let (_scratch, out, _) = precious();
        let path = out.join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert!(matches!(open(&path), Err(PrepError::NotOurs(_))));
        assert!(matches!(open_to_read(&path), Err(PrepError::NotOurs(_))));
        assert!(matches!(replace(&path, b""), Err(PrepError::NotOurs(_))));
    }

    #[test]
    fn a_left_part_is_made_anew_and_a_file_of_ours_replaced() {
        let (_scratch, out, _) = precious();
        let path = out.join("manifest.json");
        fs::write(&path, "old").unwrap();
        fs::write(part_of(&path), "half").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    }
}
