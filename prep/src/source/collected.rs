//! Images with the names of their classes, before it is known which classes there are.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::labels::order;
use super::names::ilsvrc_words;
use super::{Entry, Listing, Place};
use crate::error::PrepError;
use crate::reject::Reject;
use shardmill_formats::Class;

/// Images of any layout that knows classes by names.
#[derive(Default)]
pub(super) struct Collected {
    names: Vec<String>,
    /// Until [`finish`](Self::finish) a label is an index into the names.
    index: HashMap<String, i64>,
    splits: BTreeMap<&'static str, Vec<Entry>>,
    /// Whether keys begin with the split, as they do wherever there are splits.
    bare: bool,
}

/// What an image is called in its class.
#[derive(Clone, Copy)]
pub(super) struct ImageName<'a> {
    pub(super) split: &'static str,
    pub(super) class: i64,
    pub(super) name: &'a str,
}

impl Collected {
    /// `bare` images have keys without a split.
    pub(super) fn new(bare: bool) -> Self {
        Self {
            bare,
            ..Self::default()
        }
    }

    /// The number of a class for [`add`](Self::add). A class without an image is one too.
    pub(super) fn class(&mut self, name: &str) -> i64 {
        if let Some(&number) = self.index.get(name) {
            return number;
        }
        let number = self.names.len() as i64;
        self.names.push(name.to_owned());
        self.index.insert(name.to_owned(), number);
        number
    }

    /// Names of the classes that are known by now, sorted as text.
    pub(super) fn known(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The same in the order of their labels, if they can be ordered.
    pub(super) fn in_order(&self) -> Vec<String> {
        let order = order(&self.names);
        let classes = order.map(|order| order.classes).unwrap_or_default();
        classes.into_iter().map(|(_, name)| name).collect()
    }

    /// Adds an image; `name` is what follows split and class in its key. `class` is [`NO_LABEL`](super::NO_LABEL) for an
    /// image without a label.
    pub(super) fn add(&mut self, split: &'static str, class: i64, name: &str, place: Place) {
        let class_name = usize::try_from(class)
            .ok()
            .map(|at| self.names[at].as_str());
        let split_name = (!self.bare).then_some(split);
        let parts: Vec<&str> = [split_name, class_name, Some(name)]
            .into_iter()
            .flatten()
            .collect();
        let entry = Entry {
            label: class,
            key: parts.join("/").into(),
            place,
        };
        self.splits.entry(split).or_default().push(entry);
    }

    /// Adds the image in a file, or the reject that it is.
    pub(super) fn add_file(
        &mut self,
        source: &Path,
        image: ImageName<'_>,
        path: PathBuf,
        reject: Option<Reject>,
    ) {
        self.add(image.split, image.class, image.name, Place::Key);
        let entries = self.splits.get_mut(image.split);
        let entry = entries.and_then(|entries| entries.last_mut());
        let entry = entry.expect("an entry was just added");
        match reject {
            Some(reject) => entry.place = Place::Rejected(Box::new(reject)),
            None if source.join(&*entry.key) != path => entry.place = Place::File(path.into()),
            None => {}
        }
    }

    /// Gives every class its label, and the listing classes and images. `words` are names of classes by
    /// what they were called here.
    pub(super) fn finish(
        self,
        source: &Path,
        listing: &mut Listing,
        words: &BTreeMap<String, String>,
    ) -> Result<(), PrepError> {
        let wrong = |message: String| PrepError::Source {
            path: source.to_owned(),
            message,
        };
        let order = order(&self.names).map_err(wrong)?;
        if let Some((first, second)) = &order.unlike_text {
            listing.notes.push(format!(
                "classes that are numbers are sorted as numbers ({first} before {second}); torchvision's \
                 ImageFolder sorts them as text and gives other labels"
            ));
        }
        let renamed = order.classes.iter().any(|(synset, name)| synset != name);
        for (split, mut entries) in self.splits {
            for entry in &mut entries {
                let Ok(class) = usize::try_from(entry.label) else {
                    continue;
                };
                entry.label = order.labels[class];
                if renamed {
                    let (synset, name) = &order.classes[entry.label as usize];
                    rename(
                        entry,
                        source,
                        name,
                        synset,
                        if self.bare { "" } else { split },
                    );
                }
            }
            listing.splits.insert(split, entries);
        }
        check_keys(source, &listing.splits)?;
        let classes = order.classes.into_iter().map(|(synset, name)| {
            let known = words.get(&name).or_else(|| words.get(&synset)).cloned();
            let name = known
                .or_else(|| ilsvrc_words(&synset).map(str::to_owned))
                .unwrap_or(name);
            Class { synset, name }
        });
        listing.classes = classes.collect();
        Ok(())
    }
}

/// Puts a class's synset into a key that has its name.
fn rename(entry: &mut Entry, source: &Path, name: &str, synset: &str, split: &str) {
    if entry.place == Place::Key {
        entry.place = Place::File(source.join(&*entry.key).into());
    }
    let split = if split.is_empty() {
        String::new()
    } else {
        format!("{split}/")
    };
    let rest = &entry.key[split.len() + name.len()..];
    entry.key = format!("{split}{synset}{rest}").into();
}

/// Every image has a key of its own.
fn check_keys(source: &Path, splits: &BTreeMap<&'static str, Vec<Entry>>) -> Result<(), PrepError> {
    for entries in splits.values() {
        let mut keys: Vec<&str> = entries.iter().map(|entry| &*entry.key).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!(
                "two images would be called {:?}: rename one of them",
                pair[0]
            );
            return Err(PrepError::Source {
                path: source.to_owned(),
                message,
            });
        }
    }
    Ok(())
}
