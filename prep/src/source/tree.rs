//! Folders of a source: what is in them; every file that is not an image is counted.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use shardmill_formats::{MANIFEST_FILE, Manifest};
use walkdir::WalkDir;

use super::passed::{PassedKind, PassedOver};
use super::{is_image_name, text};
use crate::error::PrepError;
use crate::io::progress::Progress;
use crate::observe::Observer;
use crate::reject::Reject;

/// A source that is a folder.
pub(super) struct Tree<'a> {
    pub(super) source: &'a Path,
    /// The output folder, if it is there: it may be inside of the source.
    out: Option<PathBuf>,
    /// Counts what was looked at.
    seen: Progress,
}

/// Counts the files of a source.
fn listing(observer: Observer) -> Progress {
    Progress::unbounded("list", Instant::now(), observer)
}

/// A file or folder.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// From [`text::from_os`].
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// What is directly in a folder, each sorted by name.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) folders: Vec<Item>,
    pub(super) files: Vec<Item>,
    /// What is never looked into, and why.
    pub(super) aside: Vec<(PassedKind, PathBuf)>,
}

impl<'a> Tree<'a> {
    /// `out` is the output folder, which is no part of the source; empty if there is none.
    pub(super) fn new(source: &'a Path, out: &Path) -> Self {
        Self {
            source,
            out: fs::canonicalize(out).ok(),
            seen: listing(Observer::default()),
        }
    }

    /// The same, which tells `observer` what it looks at, and stops when that says so.
    pub(super) fn observed(self, observer: &Observer) -> Self {
        Self {
            seen: listing(observer.clone()),
            ..self
        }
    }

    /// Counts one more file or folder, or member of a tar.
    ///
    /// # Errors
    /// The observer wants the work to stop.
    pub(super) fn seen(&self) -> Result<(), PrepError> {
        self.seen.add(1);
        self.seen.check()
    }

    /// A path as it is called in messages and keys: relative to the source.
    pub(super) fn name(&self, path: &Path) -> String {
        text::relative(self.source, path)
    }

    /// Looks into a folder. Links are followed.
    pub(super) fn level(&self, folder: &Path) -> Result<Level, PrepError> {
        let mut level = Level::default();
        for entry in fs::read_dir(folder).map_err(PrepError::io(folder))? {
            self.seen()?;
            let entry = entry.map_err(PrepError::io(folder))?;
            let (name, path) = (text::from_os(&entry.file_name()), entry.path());
            let is_link = entry
                .file_type()
                .map_err(PrepError::io(&path))?
                .is_symlink();
            if let Some(kind @ (PassedKind::Hidden | PassedKind::System)) =
                PassedKind::by_name(&name)
            {
                level.aside.push((kind, path));
                continue;
            }
            let data = match fs::metadata(&path) {
                Err(error) if is_link && leads_nowhere(&error) => {
                    level.aside.push((PassedKind::Dangling, path));
                    continue;
                }
                data => data.map_err(PrepError::io(&path))?,
            };
            if data.is_dir() && self.is_out(&path) {
                level.aside.push((PassedKind::Output, path));
            } else if data.is_dir() && is_link && is_around(&path, folder) {
                level.aside.push((PassedKind::Loop, path));
            } else if data.is_dir() {
                level.folders.push(Item { name, path });
            } else if data.is_file() {
                level.files.push(Item { name, path });
            } else {
                level.aside.push((PassedKind::Special, path));
            }
        }
        level.folders.sort_by(|a, b| a.name.cmp(&b.name));
        level.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(level)
    }

    /// Calls `file` with every file under `folder` that may be an image, and with every link that leads
    /// nowhere, as a reject; what is no image by its name or nature is counted.
    pub(super) fn walk(
        &self,
        folder: &Path,
        passed: &mut PassedOver,
        mut file: impl FnMut(PathBuf, Option<Reject>),
    ) -> Result<(), PrepError> {
        let mut walk = WalkDir::new(folder).follow_links(true).into_iter();
        while let Some(found) = walk.next() {
            self.seen()?;
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    let is_link = fs::symlink_metadata(&path).is_ok_and(|data| data.is_symlink());
                    let nowhere = is_link && error.io_error().is_some_and(leads_nowhere);
                    if let Some(kind) = set_aside(folder, &path) {
                        passed.add(kind, &self.name(&path));
                    } else if error.loop_ancestor().is_some() {
                        passed.add(PassedKind::Loop, &self.name(&path));
                    } else if nowhere {
                        let target = fs::read_link(&path).unwrap_or_default();
                        let message = format!("it is a link to {target:?}, which is not there");
                        file(path, Some(Reject::Missing(message)));
                    } else {
                        let source = error.into();
                        return Err(PrepError::Io { path, source });
                    }
                    continue;
                }
            };
            let path = found.path();
            if found.file_type().is_dir() {
                // A link out of the class that leads to a folder around it would bring the others in.
                let parent = path.parent().unwrap_or(path);
                if found.path_is_symlink() && found.depth() > 0 && is_around(path, parent) {
                    passed.add(PassedKind::Loop, &self.name(path));
                    walk.skip_current_dir();
                } else if self.is_out(path) {
                    passed.add_tree(PassedKind::Output, self.source, path);
                    walk.skip_current_dir();
                }
                continue;
            }
            let special = (!found.file_type().is_file()).then_some(PassedKind::Special);
            let name = || PassedKind::by_name(&text::from_os(found.file_name()));
            match set_aside(folder, path).or(special).or_else(name) {
                Some(kind) => passed.add(kind, &self.name(path)),
                None => file(found.into_path(), None),
            }
        }
        Ok(())
    }

    /// Whether a folder holds, however deep, a file whose path is `wanted`. What cannot be read holds none.
    pub(super) fn holds(&self, folder: &Path, wanted: impl Fn(&Path) -> bool) -> bool {
        let walk = WalkDir::new(folder).follow_links(true).into_iter();
        walk.flatten().any(|found| {
            let path = found.path();
            found.file_type().is_file() && set_aside(folder, path).is_none() && wanted(path)
        })
    }

    /// Counts every file of the source except those under `except`: as labels those that were `used`, the others
    /// by their names, or by where they are. Links are not followed. Ends early if the observer stops the work,
    /// which the caller checks.
    pub(super) fn count_rest(
        &self,
        passed: &mut PassedOver,
        except: &BTreeSet<PathBuf>,
        used: &BTreeSet<PathBuf>,
    ) {
        let mut walk = WalkDir::new(self.source).into_iter();
        while let (Some(found), Ok(())) = (walk.next(), self.seen()) {
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    passed.add_error(&error, self.source, self.source);
                    continue;
                }
            };
            let (path, is_dir) = (found.path(), found.file_type().is_dir());
            if is_dir && !except.contains(path) && self.is_out(path) {
                passed.add_tree(PassedKind::Output, self.source, path);
                walk.skip_current_dir();
            } else if except.contains(path) {
                if is_dir {
                    walk.skip_current_dir();
                }
            } else if !is_dir {
                let place = match found.depth() {
                    1 if is_image_name(path) => PassedKind::OutsideClasses,
                    1 => PassedKind::NotAnImage,
                    _ => PassedKind::UnusedFolder,
                };
                let kind = self.kind(&found, used).unwrap_or(place);
                passed.add(kind, &self.name(path));
            }
        }
    }

    /// Why a file is no image, if its place does not say.
    fn kind(&self, found: &walkdir::DirEntry, used: &BTreeSet<PathBuf>) -> Option<PassedKind> {
        let (path, kind) = (found.path(), found.file_type());
        if let Some(kind) = set_aside(self.source, path) {
            return Some(kind);
        }
        if used.contains(path) {
            return Some(PassedKind::Labels);
        }
        if kind.is_symlink() {
            match fs::metadata(path) {
                Err(_) => return Some(PassedKind::Dangling),
                Ok(data) if data.is_dir() => {
                    let around = path.parent().is_some_and(|folder| is_around(path, folder));
                    return around.then_some(PassedKind::Loop);
                }
                Ok(_) => {}
            }
        } else if !kind.is_file() {
            return Some(PassedKind::Special);
        }
        PassedKind::by_name(&text::from_os(found.file_name()))
    }

    /// Counts what [`level`](Self::level) set aside.
    pub(super) fn count_aside(&self, passed: &mut PassedOver, level: &Level) {
        for (kind, path) in &level.aside {
            passed.add_tree(*kind, self.source, path);
        }
    }

    /// Whether a folder is the output folder, or holds another Shardmill dataset.
    fn is_out(&self, folder: &Path) -> bool {
        let same = |out: &PathBuf| fs::canonicalize(folder).is_ok_and(|folder| folder == *out);
        self.out.as_ref().is_some_and(same) || holds_dataset(folder)
    }
}

/// Whether a part of the path below `folder` is hidden or a system's.
fn set_aside(folder: &Path, path: &Path) -> Option<PassedKind> {
    let below = path.strip_prefix(folder).ok()?;
    below.components().find_map(|part| {
        let kind = PassedKind::by_name(&text::from_os(part.as_os_str()))?;
        matches!(kind, PassedKind::Hidden | PassedKind::System).then_some(kind)
    })
}

/// Whether a folder holds a Shardmill manifest.
fn holds_dataset(folder: &Path) -> bool {
    let path = folder.join(MANIFEST_FILE);
    // Not opened unless it is a plain file: a FIFO would wait.
    if !fs::metadata(&path).is_ok_and(|data| data.is_file()) {
        return false;
    }
    let mut head = [0; 256];
    let read = fs::File::open(&path).and_then(|mut file| file.read(&mut head));
    let len = read.unwrap_or(0);
    let text: String = String::from_utf8_lossy(&head[..len])
        .split_whitespace()
        .collect();
    text.starts_with(&format!("{{\"format\":\"{}\"", Manifest::format_name()))
}

fn leads_nowhere(error: &std::io::Error) -> bool {
    // ELOOP, a link to itself, has no stable kind.
    let links = if cfg!(target_os = "linux") { 40 } else { 62 };
    let kinds = [ErrorKind::NotFound, ErrorKind::NotADirectory];
    kinds.contains(&error.kind()) || error.raw_os_error() == Some(links)
}

/// Whether `path` leads to `folder` or a folder around it.
fn is_around(path: &Path, folder: &Path) -> bool {
    let (Ok(path), Ok(folder)) = (fs::canonicalize(path), fs::canonicalize(folder)) else {
        return false;
    };
    folder.starts_with(path)
}
