//! The folder of an unfinished export.
//!
//! Class folders or tars look complete long before they are. So everything is made in `OUT/.unfinished`, which
//! readers ignore because it is hidden, and moved to OUT at the very end, after `OUT/export.journal` has a line
//! that says so. While there is a journal the export is unfinished, and the same command resumes it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use crate::error::PrepError;
use crate::io::safe_path::Tree;
use crate::io::unfinished::EXPORT_JOURNAL;
use crate::io::{Choices, FolderState, JournalHeader, OutputFolder, file};
use crate::shards::difference;
use crate::source::about::{ABOUT_FILE, About, KEYS_FILE, read_about};

/// Where the files are made.
const STAGING: &str = ".unfinished";

/// The first line of the journal: what is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ExportHeader {
    pub(super) fingerprint: String,
    #[serde(default)]
    pub(super) choices: Choices,
}

impl JournalHeader for ExportHeader {
    fn differs(&self, theirs: &Self) -> Option<String> {
        (self.fingerprint != theirs.fingerprint).then(|| difference(&self.choices, &theirs.choices))
    }
}

/// Another line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Line {
    /// Records of a split that are finished, the next ones in order.
    Done {
        split: String,
        records: u64,
        files: u64,
        image_bytes: u64,
    },
    /// Everything is made, and is getting its place.
    Whole,
}

/// The folder.
pub(super) struct Staging {
    // Goes before the journal does, if nothing is finished.
    pub(super) tree: Tree,
    work: OutputFolder<ExportHeader, Line>,
}

/// The state of the folder of an export.
pub(super) enum Begun {
    Complete(Box<About>),
    Staging(Box<Staging>),
}

impl Staging {
    /// Takes the folder `out`, where the export will have entries with these names.
    pub(super) fn begin(
        out: &Path,
        header: ExportHeader,
        names: &BTreeSet<String>,
    ) -> Result<Begun, PrepError> {
        let journals = match FolderState::look(out, |name| name == EXPORT_JOURNAL, ABOUT_FILE)? {
            FolderState::Empty => Vec::new(),
            FolderState::Unfinished(journals) => journals,
            FolderState::Finished => {
                return finished(out, &header).map(Box::new).map(Begun::Complete);
            }
        };
        let is_ours = |name: &str, is_folder: bool| match name {
            EXPORT_JOURNAL | ABOUT_FILE | KEYS_FILE => !is_folder,
            STAGING => is_folder,
            name => names.contains(name),
        };
        let work = OutputFolder::resume(out, EXPORT_JOURNAL, header, &journals, is_ours)?;
        let tree = Tree::begin(&out.join(STAGING))?;
        file::sync_folder(out)?;
        Ok(Begun::Staging(Box::new(Self { tree, work })))
    }

    /// Sums over what is finished of a split, or of all.
    pub(super) fn done(&self, of: Option<&str>) -> Totals {
        let mut totals = Totals::default();
        for line in self.work.lines() {
            if let Line::Done {
                split,
                records,
                files,
                image_bytes,
            } = line
                && of.is_none_or(|of| of == split)
            {
                totals.records += records;
                totals.files += files;
                totals.image_bytes += image_bytes;
                totals.lines += 1;
            }
        }
        totals
    }

    /// Whether everything is made.
    pub(super) fn is_whole(&self) -> bool {
        self.work.lines().contains(&Line::Whole)
    }

    /// Notes that the next records of a split are finished and lasting.
    pub(super) fn append(&mut self, line: Line) -> Result<(), PrepError> {
        self.work.append(line)?;
        self.tree.commit();
        Ok(())
    }

    /// Gives everything its place.
    pub(super) fn publish(mut self, about: &About) -> Result<(), PrepError> {
        let staging = self.tree.root().to_owned();
        if !self.is_whole() {
            // Of a run that was stopped while it wrote the description.
            file::remove_left(&file::part_of(&staging.join(ABOUT_FILE)))?;
            let found = count_files(&staging);
            if found != about.files {
                let files = about.files;
                let folder = self.work.path().display();
                let message = format!(
                    "holds {found} files, but {files} were made: remove {folder} and export again"
                );
                return Err(PrepError::Source {
                    path: staging,
                    message,
                });
            }
            let mut json = serde_json::to_string_pretty(about).expect("it becomes JSON");
            json.push('\n');
            file::replace(&staging.join(ABOUT_FILE), json.as_bytes())?;
            file::sync_folder(&staging)?;
            self.append(Line::Whole)?;
        }
        self.tree.commit();
        let out = self.work.path().to_owned();
        let mut names = Vec::new();
        for entry in fs::read_dir(&staging).map_err(PrepError::io(&staging))? {
            names.push(entry.map_err(PrepError::io(&staging))?.file_name());
        }
        names.sort();
        for name in names {
            let place = out.join(&name);
            if fs::symlink_metadata(&place).is_ok() {
                return Err(PrepError::NotOurs(place));
            }
            fs::rename(staging.join(&name), &place).map_err(PrepError::io(&place))?;
        }
        fs::remove_dir(&staging).map_err(PrepError::io(&staging))?;
        self.work.finish()
    }
}

/// Sums over what is finished.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) records: u64,
    pub(super) files: u64,
    pub(super) image_bytes: u64,
    pub(super) lines: u64,
}

/// The description of the export in `out`, which must be this one, with all of its files.
fn finished(out: &Path, header: &ExportHeader) -> Result<About, PrepError> {
    let other = |what: String| PrepError::OtherResult {
        folder: out.to_owned(),
        what,
    };
    let about = read_about(&out.join(ABOUT_FILE))?
        .ok_or_else(|| other(format!("{ABOUT_FILE} is no description of an export")))?;
    if about.fingerprint != header.fingerprint {
        let splits: Vec<&str> = about.splits.keys().map(String::as_str).collect();
        let theirs = Choices::default()
            .with("--to", about.format.name())
            .with("--splits", splits.join(","));
        let changed = header.choices.changed_from(&theirs);
        return Err(other(changed.unwrap_or_else(|| {
            difference(&header.choices, &Choices::default())
        })));
    }
    let found = count_files(out);
    if found < about.files {
        let message = format!("it has {found} files and was made with {}", about.files);
        return Err(other(message));
    }
    Ok(about)
}

/// Number of files in the folder of an export, without its own two.
fn count_files(folder: &Path) -> u64 {
    let files = WalkDir::new(folder).into_iter().flatten().filter(|entry| {
        let name = entry.file_name();
        let ours = [ABOUT_FILE, KEYS_FILE].iter().any(|own| name == *own);
        entry.file_type().is_file() && !(ours && entry.depth() == 1)
    });
    files.count() as u64
}
