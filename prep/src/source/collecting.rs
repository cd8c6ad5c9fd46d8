//! The images of splits that are folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::collected::{Collected, ImageName};
use super::passed::PassedKind;
use super::request::SourceRequest;
use super::samples::is_wnid;
use super::splits::BETWEEN;
use super::tree::{Item, Tree};
use super::{Listing, NO_LABEL, doubtful, flat_labels, is_image_name, names, text};
use crate::error::PrepError;
use crate::reject::Reject;

/// What the images of splits are collected with.
pub(super) struct Collecting<'a> {
    pub(super) tree: &'a Tree<'a>,
    pub(super) request: &'a SourceRequest<'a>,
    pub(super) listing: &'a mut Listing,
    pub(super) collected: Collected,
    /// Folders that files of labels may be in.
    pub(super) tables: Vec<PathBuf>,
    /// Files that labels or words were read from.
    pub(super) used: BTreeSet<PathBuf>,
    /// Words of classes, from labels.
    pub(super) words: BTreeMap<String, String>,
    /// Class folders without an image.
    empty: Vec<String>,
}

impl<'a> Collecting<'a> {
    /// `bare` images are in class folders without splits.
    pub(super) fn new(
        tree: &'a Tree<'a>,
        request: &'a SourceRequest<'a>,
        listing: &'a mut Listing,
        tables: Vec<PathBuf>,
        bare: bool,
    ) -> Self {
        Self {
            tree,
            request,
            listing,
            collected: Collected::new(bare),
            tables,
            used: BTreeSet::new(),
            words: BTreeMap::new(),
            empty: Vec::new(),
        }
    }

    /// Reads the names of classes that are beside the tables of labels.
    pub(super) fn read_words(&mut self) -> Result<(), PrepError> {
        for folder in self.tables.clone() {
            if let Some(path) = names::file_in(&folder) {
                self.words.extend(names::read(&path)?);
                self.used.insert(path);
                break;
            }
        }
        Ok(())
    }

    /// Completes the listing; `consumed` are the files and folders whose images were added.
    pub(super) fn finish(self, consumed: &BTreeSet<PathBuf>) -> Result<(), PrepError> {
        let Self {
            tree,
            listing,
            collected,
            used,
            words,
            empty,
            ..
        } = self;
        if !empty.is_empty() {
            let (count, names) = (empty.len(), doubtful::names(&empty));
            let note = match count {
                1 => format!("1 class folder holds no image: {names}"),
                _ => format!("{count} class folders hold no image: {names}"),
            };
            listing.notes.push(note);
        }
        collected.finish(tree.source, listing, &words)?;
        tree.count_rest(&mut listing.passed, consumed, &used);
        Ok(())
    }

    /// Whether a split is left out; what it holds is counted then.
    pub(super) fn leaves_out(&mut self, split: &'static str, path: &Path) -> bool {
        let leaves = self.request.without.contains(&split);
        if leaves {
            let passed = &mut self.listing.passed;
            passed.add_tree(PassedKind::LeftOut, self.tree.source, path);
            self.listing.left_out.insert(split);
        }
        leaves
    }

    /// Adds the images of a split's folder.
    pub(super) fn add(&mut self, split: &'static str, folder: &Item) -> Result<(), PrepError> {
        if self.leaves_out(split, &folder.path) {
            return Ok(());
        }
        let level = self.tree.level(&folder.path)?;
        let between = |item: &Item| BETWEEN.contains(&item.name.to_lowercase().as_str());
        let known = self.collected.known();
        let one_between = matches!(&*level.folders, [only] if between(only)
            && (split != "train" || !level.files.is_empty())
            && !known.contains(&only.name.as_str()));
        // Images of a test set that are beside folders have no labels, so the others have none.
        let loose = split == "test" && level.files.iter().any(|file| is_image_name(&file.path));
        if loose && !level.folders.is_empty() {
            let name = self.tree.name(&folder.path);
            let note = format!(
                "{name} holds images beside folders: all of its images are taken without labels"
            );
            self.listing.notes.push(note);
        }
        if level.folders.is_empty() || one_between || loose {
            return self.add_flat(split, folder);
        }
        self.tree.count_aside(&mut self.listing.passed, &level);
        for file in &level.files {
            let kind = PassedKind::by_name(&file.name).unwrap_or(PassedKind::OutsideClasses);
            self.listing.passed.add(kind, &self.tree.name(&file.path));
        }
        self.add_classes(split, &level.folders)
    }

    /// Adds the images of class folders.
    pub(super) fn add_classes(
        &mut self,
        split: &'static str,
        folders: &[Item],
    ) -> Result<(), PrepError> {
        let known = self.collected.known();
        let trained = split != "train" && !known.is_empty();
        if let Some(class) = folders
            .iter()
            .find(|f| known.binary_search(&&*f.name).is_err())
            && trained
        {
            return Err(PrepError::UnknownClass {
                class: class.name.clone(),
                split,
            });
        }
        if known.is_empty() && self.request.layout.is_none() {
            doubtful::check_classes(self.tree, folders)?;
        }
        for folder in folders {
            let class = self.collected.class(&folder.name);
            let (tree, collected) = (self.tree, &mut self.collected);
            let mut images = false;
            tree.walk(&folder.path, &mut self.listing.passed, |path, reject| {
                let name = text::relative(&folder.path, &path);
                let image = ImageName {
                    split,
                    class,
                    name: &name,
                };
                collected.add_file(tree.source, image, path, reject);
                images = true;
            })?;
            if !images {
                self.empty.push(tree.name(&folder.path));
            }
        }
        Ok(())
    }

    /// Adds the images of a split that has no class folders.
    fn add_flat(&mut self, split: &'static str, folder: &Item) -> Result<(), PrepError> {
        let mut files = Vec::new();
        // Texts that labels are read from are counted apart.
        let mut passed = std::mem::take(&mut self.listing.passed);
        let walked = self.tree.walk(&folder.path, &mut passed, |path, reject| {
            files.push((path, reject));
        });
        self.listing.passed = passed;
        walked?;
        match split {
            "test" => {
                for (path, reject) in files {
                    let name = text::relative(&folder.path, &path);
                    let image = ImageName {
                        split,
                        class: NO_LABEL,
                        name: &name,
                    };
                    self.collected
                        .add_file(self.tree.source, image, path, reject);
                }
                Ok(())
            }
            "train" => self.add_flat_train(folder, files),
            _ => self.add_flat_val(split, folder, files),
        }
    }

    /// The training tars unpacked into one folder: a name begins with its synset.
    fn add_flat_train(&mut self, folder: &Item, files: Files) -> Result<(), PrepError> {
        if files.is_empty() {
            return Ok(());
        }
        let synset = |name: &str| {
            let synset = name.split_once('_').map_or("", |(synset, _)| synset);
            is_wnid(synset).then(|| synset.to_owned())
        };
        let count = files.len();
        for (path, reject) in files {
            let name = file_name(&path);
            let Some(synset) = synset(&name) else {
                let name = self.tree.name(&path);
                return Err(PrepError::Source {
                    path: folder.path.clone(),
                    message: format!(
                        "it holds {count} files and no class folders, and {name:?} does not begin with \
                         a synset: put the images into folders named by class, or give a .csv list of \
                         paths and labels, or leave the split out with --without train"
                    ),
                });
            };
            let class = self.collected.class(&synset);
            let image = ImageName {
                split: "train",
                class,
                name: &name,
            };
            self.collected
                .add_file(self.tree.source, image, path, reject);
        }
        Ok(())
    }

    fn add_flat_val(
        &mut self,
        split: &'static str,
        folder: &Item,
        files: Files,
    ) -> Result<(), PrepError> {
        if files.is_empty() {
            return Ok(());
        }
        let train = self.collected.in_order();
        let Some(mut labels) = flat_labels::find(&folder.path, &self.tables, &train)? else {
            return Err(flat_labels::expected(
                files.len(),
                split,
                &folder.path,
                &self.tables,
            ));
        };
        let from = self.tree.name(&labels.files[0]);
        let (total, before) = (files.len(), train.len());
        let (mut without, mut first) = (0_u64, None);
        for (path, reject) in files {
            let name = file_name(&path);
            let Some(class) = labels.class(&name) else {
                without += 1;
                first = first.or(Some(name));
                continue;
            };
            let class = self.collected.class(class);
            let image = ImageName {
                split,
                class,
                name: &name,
            };
            self.collected
                .add_file(self.tree.source, image, path, reject);
        }
        if let Some(first) = first {
            return Err(PrepError::Source {
                path: labels.files[0].clone(),
                message: format!(
                    "it has no label for {without} of the {total} files in {}, the first {first:?}: \
                     complete it, move these files away, or leave the split out with --without {split}",
                    folder.path.display()
                ),
            });
        }
        let more = self.collected.known().len() - before;
        let note = format!("labels of {split} come from {from}");
        self.listing.notes.push(match (more, before) {
            (0, _) | (_, 0) => note,
            _ => format!("{note}; {more} of its classes have no training images"),
        });
        let absent = labels.absent(&self.tree.name(&folder.path));
        self.listing
            .notes
            .extend(labels.note.take().into_iter().chain(absent));
        for file in &labels.files {
            // It was counted as a text if it is among the images.
            if file.starts_with(&folder.path) {
                let name = self.tree.name(file);
                self.listing
                    .passed
                    .recount(PassedKind::Text, PassedKind::Labels, &name);
            }
        }
        self.used.extend(labels.files);
        self.words.extend(labels.words);
        Ok(())
    }
}

/// Files with what makes rejects of them.
type Files = Vec<(PathBuf, Option<Reject>)>;

fn file_name(path: &Path) -> String {
    text::from_os(path.file_name().unwrap_or_default())
}
