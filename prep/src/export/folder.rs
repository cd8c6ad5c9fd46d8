//! Image files in class folders.

use std::collections::HashSet;
use std::io::Write;

use super::{Context, Sample, stem};
use crate::error::PrepError;
use crate::safe_path::{Tree, component};

pub(super) struct Sink<'a> {
    pub(super) tree: Tree,
    extension: &'a str,
    split: String,
    /// Folder of each class.
    folders: Vec<String>,
    /// Hashes of the paths used: of upper and lower case alike, as some systems see them.
    used: HashSet<blake3::Hash>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(tree: Tree, context: &Context<'a>) -> Self {
        let mut used = HashSet::new();
        let classes = context.manifest.classes.iter().enumerate();
        let folders = classes.map(|(label, class)| {
            let name = component(&class.synset);
            free_name(&mut used, "", &name, label as u64, "")
        });
        Self {
            folders: folders.collect(),
            tree,
            extension: context.extension,
            split: String::new(),
            used: HashSet::new(),
        }
    }

    pub(super) fn begin(&mut self, split: String) {
        self.split = split;
    }

    pub(super) fn add(&mut self, sample: &Sample) -> Result<(), PrepError> {
        let label = usize::try_from(sample.label).ok();
        let folder = label.and_then(|label| self.folders.get(label));
        let mut parts = vec![self.split.as_str()];
        // Images without a label lie in the split's own folder.
        parts.extend(folder.map(String::as_str));
        let name = free_name(
            &mut self.used,
            &parts.join("/"),
            &stem(&sample.key),
            sample.index,
            &format!(".{}", self.extension),
        );
        parts.push(&name);
        let (path, mut file) = self.tree.file(&parts)?;
        file.write_all(&sample.image).map_err(PrepError::io(&path))
    }
}

/// `NAME`, or `NAME-NUMBER` where that is taken.
fn free_name(
    used: &mut HashSet<blake3::Hash>,
    folder: &str,
    name: &str,
    number: u64,
    extension: &str,
) -> String {
    let mut free = format!("{name}{extension}");
    let mut attempt = 0_u64;
    loop {
        let path = format!("{folder}/{free}").to_lowercase();
        if used.insert(blake3::hash(path.as_bytes())) {
            return free;
        }
        free = match attempt {
            0 => format!("{name}-{number:06}{extension}"),
            attempt => format!("{name}-{number:06}-{attempt}{extension}"),
        };
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_system_takes_for_the_same_are_told_apart() {
        let mut used = HashSet::new();
        let mut name = |text, number| free_name(&mut used, "train/a", text, number, ".png");
        assert_eq!(name("x", 0), "x.png");
        assert_eq!(name("X", 1), "X-000001.png");
        assert_eq!(name("x-000002", 5), "x-000002.png");
        assert_eq!(name("x", 2), "x-000002-1.png");
    }
}
