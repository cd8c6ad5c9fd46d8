//! Untrusted names as paths that stay inside the output folder.
//!
//! [`component`] turns any text into one file name that every system accepts. [`Tree`] creates files below a
//! folder and follows no link. It checks each folder before it writes there; it does not protect against
//! someone who replaces a folder by a link at that very moment.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::PrepError;
use crate::io::file;

/// Longest file name made, in bytes, so that a number and an extension still fit into the 255 that
/// most file systems take.
const NAME_LIMIT: usize = 200;

/// `text` as one safe file name: never empty, without separators, control characters or characters
/// that Windows refuses, without a leading dot, a trailing dot or space, and no device of Windows.
/// What cannot stay becomes `_`, so different texts may give the same name.
pub(crate) fn component(text: &str) -> String {
    let mut name = String::with_capacity(text.len().min(NAME_LIMIT));
    for letter in text.chars() {
        if name.len() + letter.len_utf8() > NAME_LIMIT {
            break;
        }
        name.push(if is_refused(letter) { '_' } else { letter });
    }
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    let kept = name.trim_end_matches(['.', ' ']).len();
    let trimmed = name.len() - kept;
    name.truncate(kept);
    name.extend(std::iter::repeat_n('_', trimmed));
    if name.is_empty() {
        name.push('_');
    }
    if is_device(&name) {
        name.insert(0, '_');
    }
    name
}

/// Whether `name` stays one name inside its folder on every system.
fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.chars().any(is_refused)
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !is_device(name)
}

fn is_refused(letter: char) -> bool {
    letter.is_control() || matches!(letter, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
}

/// Names that Windows gives to devices, whatever extension follows.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches(' ');
    let upper = stem.to_uppercase();
    if matches!(
        upper.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) {
        return true;
    }
    let Some(port) = upper
        .strip_prefix("COM")
        .or_else(|| upper.strip_prefix("LPT"))
    else {
        return false;
    };
    let mut digits = port.chars();
    matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
}

/// Files below a folder. Dropped, it removes what it created since the last [`commit`](Self::commit), and nothing
/// else.
pub(crate) struct Tree {
    root: PathBuf,
    /// Whether an interrupted run may have left files here.
    left: bool,
    /// What was created since the last commit.
    files: BTreeSet<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Tree {
    /// Creates `root`, or continues in it; it must be a folder and not a link.
    pub(crate) fn begin(root: &Path) -> Result<Self, PrepError> {
        let mut tree = Self {
            root: root.to_owned(),
            left: false,
            files: BTreeSet::new(),
            folders: Vec::new(),
        };
        tree.make_folder(root)?;
        tree.left = tree.folders.is_empty();
        Ok(tree)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder below the root at `parts`, each of which is one safe name; created if necessary.
    pub(crate) fn folder(&mut self, parts: &[&str]) -> Result<PathBuf, PrepError> {
        let mut folder = self.root.clone();
        if !parts.iter().all(|part| is_safe(part)) {
            folder.extend(parts);
            return Err(PrepError::NotInside(folder));
        }
        for part in parts {
            folder.push(part);
            self.make_folder(&folder)?;
        }
        Ok(folder)
    }

    /// Creates a file below the root at `parts`, each of which is one safe name. A file that an interrupted run
    /// left is replaced.
    pub(crate) fn file(&mut self, parts: &[&str]) -> Result<(PathBuf, File), PrepError> {
        let Some((name, folders)) = parts.split_last().filter(|(name, _)| is_safe(name)) else {
            let path = parts
                .iter()
                .fold(self.root.clone(), |path, part| path.join(part));
            return Err(PrepError::NotInside(path));
        };
        let path = self.folder(folders)?.join(name);
        if self.left && !self.files.contains(&path) {
            file::remove_left(&path)?;
        }
        let file = file::create(&path)?;
        self.files.insert(path.clone());
        Ok((path, file))
    }

    /// Syncs a file and gives it the name `name` in the same folder, which must be free.
    pub(crate) fn rename(&mut self, part: &Path, file: &File, name: &str) -> Result<(), PrepError> {
        let path = part.with_file_name(name);
        file.sync_all().map_err(PrepError::io(part))?;
        if self.left && !self.files.contains(&path) {
            file::remove_left(&path)?;
        }
        if fs::symlink_metadata(&path).is_ok() {
            return Err(PrepError::Exists(path));
        }
        fs::rename(part, &path).map_err(PrepError::io(&path))?;
        self.files.remove(part);
        self.files.insert(path);
        Ok(())
    }

    /// Keeps what was created until now.
    pub(crate) fn commit(&mut self) {
        self.files.clear();
        self.folders.clear();
    }

    /// Creates `folder`, or checks that it is a folder and not a link.
    fn make_folder(&mut self, folder: &Path) -> Result<(), PrepError> {
        match fs::create_dir(folder) {
            Ok(()) => {
                self.folders.push(folder.to_owned());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let found = fs::symlink_metadata(folder).map_err(PrepError::io(folder))?;
                if found.is_dir() {
                    Ok(())
                } else {
                    Err(PrepError::NotInside(folder.to_owned()))
                }
            }
            Err(error) => Err(PrepError::io(folder)(error)),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
#[path = "safe_path_tests.rs"]
mod tests;
