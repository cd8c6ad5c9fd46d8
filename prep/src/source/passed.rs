//! Files of a source that are not images. None is used as an image, and every one is counted.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use shardmill_formats::Printable;
use walkdir::WalkDir;

/// What systems, file managers and archivers leave behind in a folder, in any spelling.
const SYSTEM: [&str; 6] = [
    "__MACOSX",
    "@eaDir",
    "#recycle",
    "lost+found",
    "$RECYCLE.BIN",
    "System Volume Information",
];

/// Most examples that are kept of a kind.
const EXAMPLES: usize = 5;

/// Why a file is neither an image nor a reject. The order is that of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PassedKind {
    /// Labels or words of classes were read from it.
    Labels,
    /// Its name, or that of a folder around it, begins with a dot.
    Hidden,
    /// Systems, file managers and archivers leave it behind: `Thumbs.db`, `desktop.ini`, `__MACOSX`, `@eaDir`,
    /// `lost+found`, `$RECYCLE.BIN`, and what is in such a folder.
    System,
    /// A list, annotation or text by its name, of which nothing was needed.
    Text,
    /// An archive or table in a place where none is read.
    Archive,
    /// Not named like an image, where only names distinguish images from other files.
    NotAnImage,
    /// An image outside of the class folders.
    OutsideClasses,
    /// In a folder that is neither a split nor a class.
    UnusedFolder,
    /// In a split that `--without` leaves out.
    LeftOut,
    /// A link to a folder around it, which would never end.
    Loop,
    /// A link to nothing where no image is looked for.
    Dangling,
    /// A folder that cannot be read, where no image is looked for: what is in it is not known.
    Unreadable,
    /// A FIFO, a socket or a device.
    Special,
    /// A member of a sample without an image, or one that no field is read from.
    NoImage,
    /// In the output folder, or in another Shardmill dataset that is inside of the source.
    Output,
}

impl PassedKind {
    /// The kind in a sentence after a number of files.
    const fn words(self) -> &'static str {
        match self {
            Self::Labels => "read for labels or names of classes",
            Self::Hidden => "hidden",
            Self::System => "left behind by the system, file managers or archivers",
            Self::Text => "a list, annotation or text",
            Self::Archive => "an archive or table where none is read",
            Self::NotAnImage => "not called like an image",
            Self::OutsideClasses => "an image outside of the class folders",
            Self::UnusedFolder => "in a folder that is neither a split nor a class",
            Self::LeftOut => "in a split that was left out",
            Self::Loop => "a link that leads back to a folder around it",
            Self::Dangling => "a link that leads nowhere",
            Self::Unreadable => "a folder that cannot be read",
            Self::Special => "a FIFO, socket or device",
            Self::NoImage => "a member of a sample without an image, or of no known use",
            Self::Output => "in the output folder, or another dataset of shards",
        }
    }

    /// What a file's name says it is: hidden, a system's, a text, an archive; `None` if it may be an image.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        const TEXTS: [&str; 22] = [
            "txt", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml", "toml", "md", "rst",
            "html", "htm", "mat", "npy", "pkl", "log", "md5", "sha1", "sha256", "pdf", "py",
        ];
        const ARCHIVES: [&str; 12] = [
            "tar", "tgz", "gz", "zst", "zip", "7z", "rar", "bz2", "xz", "parquet", "arrow",
            "tfrecord",
        ];
        let extension = name
            .rsplit_once('.')
            .map(|(_, end)| end.to_ascii_lowercase());
        let ends = |known: &[&str]| extension.as_deref().is_some_and(|end| known.contains(&end));
        match name {
            "Thumbs.db" | "desktop.ini" | ".DS_Store" => Some(Self::System),
            _ if SYSTEM.iter().any(|known| name.eq_ignore_ascii_case(known)) => Some(Self::System),
            _ if name.starts_with('.') => Some(Self::Hidden),
            _ if ends(&TEXTS) => Some(Self::Text),
            _ if ends(&ARCHIVES) => Some(Self::Archive),
            _ => None,
        }
    }
}

/// The files of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PassedFiles {
    /// Number of files.
    pub files: u64,
    /// Names of up to five of them, the first ones in order, relative to the source.
    pub examples: Vec<String>,
}

/// The files of a source that were passed over, by kind.
///
/// Every file of a source is in a record, a reject, or counted here: the sums add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PassedOver(BTreeMap<PassedKind, PassedFiles>);

impl PassedOver {
    /// Number of files of all kinds.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.0.values().map(|kind| kind.files).sum()
    }

    /// The files of one kind.
    #[must_use]
    pub fn of(&self, kind: PassedKind) -> Option<&PassedFiles> {
        self.0.get(&kind)
    }

    /// Every kind that there is, in the order of a summary.
    pub fn kinds(&self) -> impl Iterator<Item = (PassedKind, &PassedFiles)> {
        self.0.iter().map(|(kind, files)| (*kind, files))
    }

    /// Counts a file.
    pub(super) fn add(&mut self, kind: PassedKind, name: &str) {
        let found = self.0.entry(kind).or_default();
        found.files += 1;
        // The first ones in order, so that the system's order of listing does not show.
        let at = found
            .examples
            .partition_point(|known| known.as_str() <= name);
        if at < EXAMPLES {
            found.examples.insert(at, name.to_owned());
            found.examples.truncate(EXAMPLES);
        }
    }

    /// Counts a file as another kind than before. Its name goes to the examples of that kind.
    pub(super) fn recount(&mut self, from: PassedKind, to: PassedKind, name: &str) {
        if let Some(found) = self.0.get_mut(&from) {
            found.files -= 1;
            found.examples.retain(|known| known != name);
            if found.files == 0 {
                self.0.remove(&from);
            }
        }
        self.add(to, name);
    }

    /// Counts every file under `path`, which may be a file itself. Links are not followed: a link is one
    /// file, `path` too. A folder that cannot be read is counted as that.
    pub(super) fn add_tree(&mut self, kind: PassedKind, source: &Path, path: &Path) {
        let walk = WalkDir::new(path).follow_root_links(false);
        for found in walk {
            match found {
                Ok(found) if found.file_type().is_dir() => {}
                Ok(found) => self.add(kind, &super::text::relative(source, found.path())),
                Err(error) => self.add_error(&error, source, path),
            }
        }
    }

    /// Counts what a walk of `path` could not read.
    pub(super) fn add_error(&mut self, error: &walkdir::Error, source: &Path, path: &Path) {
        let path = error.path().unwrap_or(path);
        self.add(PassedKind::Unreadable, &super::text::relative(source, path));
    }
}

impl fmt::Display for PassedOver {
    /// A line for each kind, with its examples.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, PassedFiles { files, examples }) in self.kinds() {
            let more = if *files > examples.len() as u64 {
                ", ..."
            } else {
                ""
            };
            let names: Vec<_> = examples
                .iter()
                .map(|name| Printable(name).to_string())
                .collect();
            let names = names.join(", ");
            let word = if *files == 1 { "file" } else { "files" };
            writeln!(
                f,
                "passed over  {files} {word}: {} ({names}{more})",
                kind.words()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_with_the_first_five_names_in_any_order() {
        let mut passed = PassedOver::default();
        for i in [7, 2, 9, 0, 5, 3, 1] {
            passed.add(PassedKind::Hidden, &format!(".{i}"));
        }
        passed.add(PassedKind::Text, "notes.txt");
        assert_eq!(passed.files(), 8);
        let hidden = passed.of(PassedKind::Hidden).unwrap();
        assert_eq!(
            (hidden.files, hidden.examples.join("")),
            (7, ".0.1.2.3.5".to_owned())
        );
        let text = passed.to_string();
        assert!(
            text.contains("7 files: hidden (.0, .1, .2, .3, .5, ...)"),
            "{text}"
        );
        assert!(
            text.contains("1 file: a list, annotation or text (notes.txt)\n"),
            "{text}"
        );
        let json = serde_json::to_string(&passed).unwrap();
        assert!(
            json.contains(r#""text":{"files":1,"examples":["notes.txt"]}"#),
            "{json}"
        );
    }

    #[test]
    fn a_name_with_a_line_feed_makes_no_line_of_its_own() {
        let mut passed = PassedOver::default();
        passed.add(PassedKind::Text, "a\n9 images rejected\u{1b}[2J.txt");
        let text = passed.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains(r"(a\u000a9 images rejected\u001b[2J.txt)"),
            "{text}"
        );
    }

    #[test]
    fn a_name_says_what_is_no_image() {
        for (name, kind) in [
            ("a.JPEG", None),
            ("README", None),
            (".x.jpg", Some(PassedKind::Hidden)),
            ("Thumbs.db", Some(PassedKind::System)),
            ("n01440764_boxes.TXT", Some(PassedKind::Text)),
            ("train.zip", Some(PassedKind::Archive)),
            ("@eaDir", Some(PassedKind::System)),
            ("$Recycle.Bin", Some(PassedKind::System)),
            ("lost+found", Some(PassedKind::System)),
            ("lost", None),
        ] {
            assert_eq!(PassedKind::by_name(name), kind, "{name}");
        }
    }
}
