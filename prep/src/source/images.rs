//! The images of a folder, for a program that looks at files and not at classes.

use std::fs;
use std::path::{Path, PathBuf};

use super::tree::Tree;
use super::{PassedKind, PassedOver, is_image_name, text};
use crate::error::PrepError;

/// What [`image_files`] found in a folder.
#[derive(Debug, Default)]
pub struct ImageFiles {
    /// Files that are named like images, sorted by path.
    pub images: Vec<PathBuf>,
    /// What else is there, counted by kind.
    pub passed: PassedOver,
    /// Folders that could not be looked into; what is in them is missing above.
    pub unreadable: Vec<PrepError>,
}

/// Looks for images in `folder` and the folders in it, by their names. Links are followed, but not around
/// in a circle; hidden files, file managers' files and datasets of shards are passed over and counted.
#[must_use]
pub fn image_files(folder: &Path) -> ImageFiles {
    let mut found = ImageFiles::default();
    let tree = Tree::new(folder, Path::new(""));
    let around: Vec<PathBuf> = fs::canonicalize(folder).into_iter().collect();
    look(&tree, folder, &around, &mut found);
    found.images.sort();
    found
}

/// The path in words: bytes that are not UTF-8 become `%` and two hexadecimal digits, as in the keys of
/// records, so that paths stay apart and can be written in JSON.
#[must_use]
pub fn path_text(path: &Path) -> String {
    text::from_os(path.as_os_str())
}

/// Adds what is in `folder`; `around` are the folders that led there, itself included.
fn look(tree: &Tree<'_>, folder: &Path, around: &[PathBuf], found: &mut ImageFiles) {
    let level = match tree.level(folder) {
        Ok(level) => level,
        Err(error) => return found.unreadable.push(error),
    };
    for (kind, path) in level.aside {
        // A link is one thing, wherever it leads.
        if fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
            found.passed.add_tree(kind, tree.source, &path);
        } else {
            found.passed.add(kind, &tree.name(&path));
        }
    }
    for file in level.files {
        match PassedKind::by_name(&file.name) {
            Some(kind) => found.passed.add(kind, &tree.name(&file.path)),
            None if is_image_name(&file.path) => found.images.push(file.path),
            None => {
                let kind = PassedKind::NotAnImage;
                found.passed.add(kind, &tree.name(&file.path));
            }
        }
    }
    for inner in level.folders {
        match fs::canonicalize(&inner.path).map_err(PrepError::io(&inner.path)) {
            Err(error) => found.unreadable.push(error),
            // Two links, each into the other's folder, lead around as well.
            Ok(real) if around.contains(&real) => {
                found.passed.add(PassedKind::Loop, &tree.name(&inner.path));
            }
            Ok(real) => {
                let around: Vec<PathBuf> = around.iter().cloned().chain([real]).collect();
                look(tree, &inner.path, &around, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }

    fn names(folder: &Path, found: &ImageFiles) -> Vec<String> {
        let relative = |path: &PathBuf| path.strip_prefix(folder).unwrap().to_owned();
        let names = found.images.iter().map(relative);
        names.map(|path| path_text(&path)).collect()
    }

    #[test]
    fn images_are_found_by_name_in_order_and_everything_else_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let names_there = [
            "b.JPEG",
            "a/z.png",
            "a/notes.txt",
            "a.jpg",
            "README",
            ".hidden.jpg",
            "c/Thumbs.db",
            "c/d/e.webp",
        ];
        files(folder.path(), &names_there);
        let found = image_files(folder.path());
        assert_eq!(
            names(folder.path(), &found),
            ["a/z.png", "a.jpg", "b.JPEG", "c/d/e.webp"]
        );
        let passed: Vec<_> = found
            .passed
            .kinds()
            .map(|(kind, files)| (kind, files.files))
            .collect();
        let expected = [
            (PassedKind::Hidden, 1),
            (PassedKind::System, 1),
            (PassedKind::Text, 1),
            (PassedKind::NotAnImage, 1),
        ];
        assert_eq!(passed, expected);
        assert!(found.unreadable.is_empty());
        assert_eq!(found.images.len() as u64 + found.passed.files(), 8);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let found = image_files(&folder.path().join("none"));
        assert!(found.images.is_empty() && found.unreadable.len() == 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_around_end_and_are_counted() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        files(folder.path(), &["a/1.png", "b/2.png"]);
        symlink("../b", folder.path().join("a/b")).unwrap();
        symlink("../a", folder.path().join("b/a")).unwrap();
        symlink("..", folder.path().join("a/up")).unwrap();
        symlink("nowhere.png", folder.path().join("gone.png")).unwrap();
        let found = image_files(folder.path());
        let expected = ["a/1.png", "a/b/2.png", "b/2.png", "b/a/1.png"];
        assert_eq!(names(folder.path(), &found), expected);
        let files = |kind| found.passed.of(kind).map_or(0, |files| files.files);
        assert_eq!(
            (files(PassedKind::Loop), files(PassedKind::Dangling)),
            (4, 1)
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_are_written_in_hexadecimal() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(OsStr::from_bytes(b"caf\xe9/a.png"));
        assert_eq!(path_text(path), "caf%E9/a.png");
    }
}
