//! A page becomes a file.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::error::ReportError;

/// Refuses a page that exists, unless it is to be replaced.
///
/// # Errors
/// A page that exists.
pub(super) fn check_free(path: &Path, force: bool) -> Result<(), ReportError> {
    match fs::symlink_metadata(path) {
        Ok(_) if !force => Err(ReportError::Exists { path: path.into() }),
        _ => Ok(()),
    }
}

/// Writes a page, which is never there in part.
///
/// # Errors
/// A page that exists, unless `force` is given; whatever the file system refuses.
pub(super) fn write(path: &Path, html: &str, force: bool) -> Result<(), ReportError> {
    let error = |source| ReportError::Io {
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
        write(&path, "one", false).unwrap();
        assert!(matches!(
            write(&path, "two", false),
            Err(ReportError::Exists { .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        write(&path, "two", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
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
