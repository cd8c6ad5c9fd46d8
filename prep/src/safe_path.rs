//! Names from strangers' datasets as paths that stay inside the output folder.
//!
//! [`component`] turns any text into one file name that every system takes as such. [`Tree`] makes
//! files below a folder and goes through no link. It looks at each folder before it writes there;
//! someone who swaps folders for links in that very moment is not kept out.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::PrepError;
use crate::output::check_free;

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

/// Files below an output folder. Dropped without [`keep`](Self::keep), it takes away what it made,
/// and nothing else.
pub(crate) struct Tree {
    root: PathBuf,
    /// What was made, in order.
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    kept: bool,
}

impl Tree {
    /// Checks that `root` is free, and makes it if it is not there.
    pub(crate) fn create(root: &Path) -> Result<Self, PrepError> {
        check_free(root)?;
        let mut folders = Vec::new();
        if !root.exists() {
            fs::create_dir_all(root).map_err(PrepError::io(root))?;
            folders.push(root.to_owned());
        }
        Ok(Self {
            root: root.to_owned(),
            files: Vec::new(),
            folders,
            kept: false,
        })
    }

    /// Makes a file that was not there, below the root by `parts`, each of which is one safe name.
    pub(crate) fn file(&mut self, parts: &[&str]) -> Result<(PathBuf, File), PrepError> {
        let path: PathBuf = parts
            .iter()
            .fold(self.root.clone(), |path, part| path.join(part));
        let Some((_, folders)) = parts
            .split_last()
            .filter(|_| parts.iter().all(|part| is_safe(part)))
        else {
            return Err(PrepError::NotInside(path));
        };
        let mut folder = self.root.clone();
        for part in folders {
            folder.push(part);
            self.folder(&folder)?;
        }
        // `create_new` neither follows a link nor opens what is there.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(PrepError::io(&path))?;
        self.files.push(path.clone());
        Ok((path, file))
    }

    /// Syncs a file and gives it the name `name` in the same folder, which must be free.
    pub(crate) fn rename(&mut self, part: &Path, file: &File, name: &str) -> Result<(), PrepError> {
        let path = part.with_file_name(name);
        file.sync_all().map_err(PrepError::io(part))?;
        if fs::symlink_metadata(&path).is_ok() {
            return Err(PrepError::Exists(path));
        }
        fs::rename(part, &path).map_err(PrepError::io(&path))?;
        self.files.retain(|file| file != part);
        self.files.push(path);
        Ok(())
    }

    /// Number of files made.
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    /// Everything is there: nothing is taken away any more.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    /// Makes `folder`, or sees that it is a folder and no link.
    fn folder(&mut self, folder: &Path) -> Result<(), PrepError> {
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
        if self.kept {
            return;
        }
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
