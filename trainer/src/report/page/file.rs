//! A page becomes a file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use maud::DOCTYPE;

/// Why a page cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageFileError {
    /// The page is there already.
    #[error("{} exists; choose another `--out`, or replace it with `--force`", path.display())]
    Exists { path: PathBuf },
    /// Something else is there, such as a checkpoint.
    #[error("{} is no page, so `--force` does not replace it; choose another `--out`", path.display())]
    NoPage { path: PathBuf },
    /// The file system refused.
    #[error("cannot write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Refuses a page that exists, unless it is to be replaced, and whatever else is there.
///
/// # Errors
/// A page that exists, unless `force` is given; a file, folder or link that is no page.
pub(crate) fn check_free(path: &Path, force: bool) -> Result<(), PageFileError> {
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(_) if !force => Err(PageFileError::Exists { path: path.into() }),
        Ok(found) if found.is_file() && is_page(path) => Ok(()),
        Ok(_) => Err(PageFileError::NoPage { path: path.into() }),
    }
}

/// Whether a file begins as every page does.
fn is_page(path: &Path) -> bool {
    let start = DOCTYPE.0.len();
    let mut found = Vec::new();
    let read = File::open(path).and_then(|file| file.take(start as u64).read_to_end(&mut found));
    read.is_ok() && found == DOCTYPE.0.as_bytes()
}

/// Writes a page, which is never there in part.
///
/// # Errors
/// As [`check_free`], and whatever the file system refuses.
pub(crate) fn write(path: &Path, html: &str, force: bool) -> Result<(), PageFileError> {
    let error = |source| PageFileError::Io {
        path: path.into(),
        source,
    };
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(name);
    let written = File::create_new(&partial).and_then(|mut file| {
        file.write_all(html.as_bytes())?;
        file.sync_all()
    });
    let put = written.map_err(error).and_then(|()| {
        check_free(path, force)?;
        fs::rename(&partial, path).map_err(error)
    });
    put.inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&partial);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_replaced_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let page = |text: &str| format!("{}{text}", DOCTYPE.0);
        write(&path, &page("one"), false).unwrap();
        assert!(matches!(
            write(&path, &page("two"), false),
            Err(PageFileError::Exists { .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), page("one"));
        write(&path, &page("two"), true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), page("two"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn force_replaces_nothing_but_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        fs::write(&path, "weights").unwrap();
        for place in [&path, folder.path()] {
            let refused = write(place, "page", true);
            assert!(matches!(refused, Err(PageFileError::NoPage { .. })));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "weights");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/report.html");
        let error = write(&path, "one", false).unwrap_err().to_string();
        assert!(error.contains("none/report.html"), "{error}");
    }
}
