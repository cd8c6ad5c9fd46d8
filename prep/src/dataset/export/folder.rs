//! Image files in class folders.
//!
//! A file is where its key says, as far as that is safe and free; [`KEYS_FILE`] has the others' keys.
//! Every class has its folder in every labelled split, so that classes without an image keep their place
//! among the labels.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use shardmill_formats::Manifest;

use super::names::{below_split, image_name};
use super::sample::{Context, Sample, Unit};
use crate::error::PrepError;
use crate::io::PART;
use crate::io::safe_path::{Tree, component};
use crate::source::about::KEYS_FILE;

/// Longest key that becomes folders; the others' files are in the folder of their class.
const LONGEST_TREE: usize = 512;

pub(super) struct Sink<'a> {
    context: Context<'a>,
    split: String,
    labelled: bool,
    /// Folder of each class.
    folders: Vec<String>,
    names: Names,
    /// Keys that paths do not say.
    keys: Keys,
    unit: Unit,
}

/// The list of keys while it is being written.
struct Keys {
    part: PathBuf,
    file: BufWriter<File>,
    lines: u64,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        context: Context<'a>,
        tree: &mut Tree,
        folders: Vec<String>,
    ) -> Result<Self, PrepError> {
        let (part, file) = tree.file(&[&format!("{KEYS_FILE}.{PART}")])?;
        Ok(Self {
            context,
            split: String::new(),
            labelled: false,
            folders,
            names: Names::default(),
            keys: Keys {
                part,
                file: BufWriter::new(file),
                lines: 0,
            },
            unit: Unit::default(),
        })
    }

    pub(super) fn begin(&mut self, tree: &mut Tree, split: &str) -> Result<(), PrepError> {
        split.clone_into(&mut self.split);
        self.labelled = self.context.manifest.splits[split].labelled;
        let split = component(split);
        tree.folder(&[&split])?;
        if self.labelled {
            for folder in &self.folders {
                tree.folder(&[&split, folder])?;
            }
        }
        Ok(())
    }

    pub(super) fn add(&mut self, tree: &mut Tree, sample: &Sample) -> Result<(), PrepError> {
        let parts = self.place(&sample.key, sample.label, sample.index)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (path, mut file) = tree.file(&parts)?;
        file.write_all(&sample.image)
            .map_err(PrepError::io(&path))?;
        #[cfg(not(target_os = "linux"))]
        file.sync_all().map_err(PrepError::io(&path))?;
        self.unit.records += 1;
        self.unit.files += 1;
        self.unit.image_bytes += sample.image.len() as u64;
        Ok(())
    }

    /// A file that is there gets the name it has.
    pub(super) fn pass(&mut self, key: &str, label: i64, index: u64) -> Result<(), PrepError> {
        self.place(key, label, index).map(drop)
    }

    pub(super) fn end_shard(&mut self, tree: &Tree) -> Result<Option<Unit>, PrepError> {
        #[cfg(target_os = "linux")]
        {
            // All files at once: one after another would take as long as writing them.
            let root = tree.root();
            let folder = File::open(root).map_err(PrepError::io(root))?;
            rustix::fs::syncfs(&folder).map_err(|error| PrepError::io(root)(error.into()))?;
        }
        let _ = tree;
        Ok(Some(std::mem::take(&mut self.unit)))
    }

    /// Gives the list of keys its name, if it has lines.
    pub(super) fn finish(self, tree: &mut Tree) -> Result<(), PrepError> {
        let Keys { part, file, lines } = self.keys;
        let file = file
            .into_inner()
            .map_err(|error| PrepError::io(&part)(error.into_error()))?;
        if lines == 0 {
            drop(file);
            return std::fs::remove_file(&part).map_err(PrepError::io(&part));
        }
        tree.rename(&part, &file, KEYS_FILE)
    }

    /// The components of a file's path, which is no other's.
    fn place(&mut self, key: &str, label: i64, index: u64) -> Result<Vec<String>, PrepError> {
        let class = usize::try_from(label).ok().filter(|_| self.labelled);
        let (mut below, name) = below_split(key, &self.split);
        let mut parts = vec![component(&self.split)];
        // Images without a label are in the split's own folder: more folders would look like classes.
        if let Some((class, folder)) =
            class.and_then(|class| Some((class, self.folders.get(class)?)))
        {
            let synset = &self.context.manifest.classes[class].synset;
            let is_own = below
                .first()
                .is_some_and(|first| *first == component(synset));
            if !is_own || key.len() > LONGEST_TREE {
                below.clear();
            }
            parts.push(folder.clone());
            parts.extend(below.into_iter().skip(1));
        }
        let (stem, end) = image_name(name, self.context.extension);
        let parts = self.names.place(parts, &stem, &end, index);
        let path = parts.join("/");
        if path != key {
            self.keys.lines += 1;
            writeln!(self.keys.file, "{path}\t{key}").map_err(PrepError::io(&self.keys.part))?;
        }
        Ok(parts)
    }
}

/// The folder of each class: its synset, as far as that is safe and free.
pub(super) fn class_folders(manifest: &Manifest) -> Vec<String> {
    let mut names = Names::default();
    let classes = manifest.classes.iter().zip(0..);
    let folders = classes.map(|(class, label)| {
        let mut parts = names.place(Vec::new(), &component(&class.synset), "", label);
        parts.pop().unwrap_or_default()
    });
    folders.collect()
}

/// Hashes of the paths used: of upper and lower case alike, as some systems see them.
#[derive(Default)]
struct Names(HashMap<[u8; 16], Kind>);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    File,
    Folder,
}

impl Names {
    /// Places the file `STEM` `END` in `folders`: under another name where that is taken.
    fn place(&mut self, folders: Vec<String>, stem: &str, end: &str, number: u64) -> Vec<String> {
        let mut parts: Vec<String> = Vec::with_capacity(folders.len() + 1);
        for folder in folders {
            let name = self.free(&parts, &folder, "", number, Kind::Folder);
            parts.push(name);
        }
        let name = self.free(&parts, stem, end, number, Kind::File);
        parts.push(name);
        parts
    }

    /// `NAME`, or `NAME-NUMBER` where that is taken. A folder takes more than one file.
    fn free(
        &mut self,
        folders: &[String],
        name: &str,
        end: &str,
        number: u64,
        kind: Kind,
    ) -> String {
        let folder = folders.join("/");
        let mut free = format!("{name}{end}");
        let mut attempt = 0_u64;
        loop {
            let path = format!("{folder}/{free}").to_lowercase();
            let hash = blake3::hash(path.as_bytes());
            let (short, _) = hash.as_bytes().split_first_chunk().expect("16 of 32 bytes");
            match self.0.get(short) {
                None => {
                    self.0.insert(*short, kind);
                    return free;
                }
                Some(Kind::Folder) if kind == Kind::Folder => return free,
                Some(_) => {}
            }
            free = match attempt {
                0 => format!("{name}-{number:06}{end}"),
                attempt => format!("{name}-{number:06}-{attempt}{end}"),
            };
            attempt += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_system_takes_for_the_same_are_told_apart() {
        let mut names = Names::default();
        let mut place = |folders: &[&str], stem, number| {
            let folders = folders.iter().map(|folder| (*folder).to_owned()).collect();
            names.place(folders, stem, ".png", number).join("/")
        };
        assert_eq!(place(&["a"], "x", 0), "a/x.png");
        assert_eq!(place(&["a"], "X", 1), "a/X-000001.png");
        assert_eq!(place(&["a"], "x-000002", 5), "a/x-000002.png");
        assert_eq!(place(&["a"], "x", 2), "a/x-000002-1.png");
        assert_eq!(place(&["a", "x.png"], "y", 6), "a/x.png-000006/y.png");
        assert_eq!(place(&["a", "b.png"], "y", 7), "a/b.png/y.png");
        assert_eq!(place(&["a"], "b", 8), "a/b-000008.png");
        assert_eq!(place(&["a", "b.png"], "z", 9), "a/b.png/z.png");
    }
}
