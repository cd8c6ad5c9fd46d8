//! The samples of one tar: members that share their names up to the first dot.

use std::collections::HashMap;
use std::path::Path;

use super::archive::Content;
use super::class_table::{self, ClassTable};
use super::is_clutter;
use super::notes::Notes;
use super::samples::{Sample, file_name};
use super::synsets::Synsets;
use super::tar_index::ScanError;
use super::tar_part::{Part, normal, text};
use super::tar_walk::{Kind, TarHeader};
use super::written_label::{Labels, WrittenLabel};
use super::{NO_LABEL, PassedKind, PassedOver, Place};
use crate::error::PrepError;
use crate::reject::Reject;

/// Longest `.cls` or `.json` that is read, in bytes.
const LONGEST_TEXT: u64 = 1 << 20;
/// Longest table of classes of a Shardmill dataset, in bytes.
const LONGEST_TABLE: u64 = 64 << 20;
/// Most links that are followed one after another.
const LINKS: usize = 40;

/// Labels and synsets of a source, over all its tars.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) labels: Labels,
    pub(super) synsets: Synsets,
}

/// Which tar samples come from.
#[derive(Clone, Copy)]
pub(super) struct TarOrigin {
    pub(super) split: &'static str,
    /// Which of the source's files it is.
    pub(super) file: u32,
    /// Whether it ends too early, so that labels may be missing.
    pub(super) is_cut: bool,
}

/// The samples of one tar while it is read.
pub(super) struct Tar<'a> {
    path: &'a Path,
    /// Samples in the order of their first members.
    samples: Vec<Parts>,
    /// The last sample of each name.
    last: HashMap<String, usize>,
    /// What each member holds, for links to it.
    members: HashMap<String, Held>,
    /// Members that belong to no image.
    passed: Vec<(PassedKind, String)>,
    table: Option<ClassTable>,
}

/// What a tar has of a sample.
#[derive(Default)]
struct Parts {
    name: String,
    image: Option<(String, Held)>,
    class: Option<(String, Held)>,
    notes: Option<(String, Held)>,
}

impl Parts {
    const fn get(&self, part: Part) -> &Option<(String, Held)> {
        match part {
            Part::Image { .. } => &self.image,
            Part::Class => &self.class,
            Part::Notes => &self.notes,
        }
    }

    const fn slot(&mut self, part: Part) -> &mut Option<(String, Held)> {
        match part {
            Part::Image { .. } => &mut self.image,
            Part::Class => &mut self.class,
            Part::Notes => &mut self.notes,
        }
    }
}

/// What a member holds.
#[derive(Clone)]
enum Held {
    Image(Place),
    /// Where it is, if nothing has to be unpacked for it.
    Other(Option<Place>),
    Class(WrittenLabel),
    Notes(Notes),
    /// The member that it leads to.
    Link(String),
    /// No plain file.
    Special,
}

impl<'a> Tar<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self {
            path,
            samples: Vec::new(),
            last: HashMap::new(),
            members: HashMap::new(),
            passed: Vec::new(),
            table: None,
        }
    }

    /// The table of classes, if the tar is of a Shardmill dataset.
    pub(super) const fn table(&self) -> Option<&ClassTable> {
        self.table.as_ref()
    }

    fn wrong(&self, message: String) -> PrepError {
        PrepError::Source {
            path: self.path.to_owned(),
            message,
        }
    }

    /// Takes a member.
    pub(super) fn add(&mut self, head: &TarHeader, content: Content<'_>) -> Result<(), ScanError> {
        if head.kind == Kind::Folder {
            return Ok(());
        }
        let member = text(&head.name);
        let place = normal("", &member);
        if place == class_table::MEMBER && head.kind == Kind::File {
            let bytes = content.text(LONGEST_TABLE)?.unwrap_or_default();
            match ClassTable::parse(&bytes) {
                Some(table) => self.table = Some(table),
                None => self.passed.push((PassedKind::NoImage, member)),
            }
            return Ok(());
        }
        let sample = file_name(&member).and_then(|name| {
            // A sample's members share everything up to the first dot of the file's name.
            let (stem, extension) = name.split_once('.')?;
            let folder = &member[..member.len() - name.len()];
            Some((format!("{folder}{stem}"), Part::of(extension)?))
        });
        let part = sample.as_ref().map(|(_, part)| *part);
        let held = match &head.kind {
            Kind::File => self.hold(&member, part, content)?,
            Kind::HardLink(target) => {
                let target = normal("", &text(target));
                // The member of that name until here, whatever comes later.
                self.members
                    .get(&target)
                    .cloned()
                    .unwrap_or(Held::Link(target))
            }
            Kind::SymbolicLink(target) => {
                let folder = place.rfind('/').map_or("", |slash| &place[..slash]);
                Held::Link(normal(folder, &text(target)))
            }
            Kind::Folder | Kind::Other => Held::Special,
        };
        self.members.insert(place, held.clone());
        match sample {
            Some((sample, part)) => self.put(sample, part, member, held)?,
            None => {
                let name = member.rsplit('/').next().unwrap_or_default();
                let hidden = PassedKind::by_name(name).filter(|_| is_clutter(name));
                self.passed
                    .push((hidden.unwrap_or(PassedKind::NoImage), member));
            }
        }
        Ok(())
    }

    /// Reads what a plain member holds.
    fn hold(
        &self,
        member: &str,
        part: Option<Part>,
        content: Content<'_>,
    ) -> Result<Held, ScanError> {
        let wrong = |message| ScanError::Prep(self.wrong(format!("{member}: {message}")));
        let short = |content: Content<'_>| {
            let bytes = content.text(LONGEST_TEXT)?;
            let bytes =
                bytes.ok_or_else(|| wrong(format!("it has more than {LONGEST_TEXT} bytes")))?;
            Ok::<_, ScanError>(text(&bytes))
        };
        Ok(match part {
            Some(Part::Image { .. }) => Held::Image(content.image()?),
            Some(Part::Class) => Held::Class(WrittenLabel::read(&short(content)?).map_err(wrong)?),
            Some(Part::Notes) => Held::Notes(Notes::read(&short(content)?).map_err(wrong)?),
            None => Held::Other(content.place()),
        })
    }

    /// Puts a member into its sample, or into a new one of that name where there is one of its own name.
    fn put(
        &mut self,
        name: String,
        part: Part,
        member: String,
        held: Held,
    ) -> Result<(), ScanError> {
        let before = self.last.get(&name).copied();
        let same =
            |at: usize| matches!(self.samples[at].get(part), Some((other, _)) if *other == member);
        let at = match before {
            Some(at) if !same(at) => at,
            _ => {
                self.last.insert(name.clone(), self.samples.len());
                self.samples.push(Parts {
                    name: name.clone(),
                    ..Parts::default()
                });
                self.samples.len() - 1
            }
        };
        let mut unused = Some((member, held));
        let slot = self.samples[at].slot(part);
        let better = match (&*slot, &unused) {
            (Some((other, _)), Some((member, _))) => {
                let two = |message| PrepError::Source {
                    path: self.path.to_owned(),
                    message,
                };
                part.is_better(&name, member, other)
                    .map_err(|message| ScanError::Prep(two(message)))?
            }
            _ => true,
        };
        if better {
            std::mem::swap(slot, &mut unused);
        }
        let unused = unused.map(|(member, _)| (PassedKind::NoImage, member));
        self.passed.extend(unused);
        Ok(())
    }

    /// What a member holds in the end, after every link; `None` if that is nothing.
    fn follow<'b>(&'b self, held: &'b Held) -> Option<&'b Held> {
        let mut held = held;
        for _ in 0..LINKS {
            match held {
                Held::Link(target) => held = self.members.get(target)?,
                found => return Some(found),
            }
        }
        None
    }

    /// Makes samples of what was found.
    pub(super) fn close(
        mut self,
        origin: TarOrigin,
        passed: &mut PassedOver,
        samples: &mut Vec<Sample>,
        sorted: &mut Sorted,
    ) -> Result<(), PrepError> {
        for parts in std::mem::take(&mut self.samples) {
            if parts.image.is_some() {
                samples.push(self.sample(parts, origin, sorted)?);
            } else {
                let members = [parts.class, parts.notes].into_iter().flatten();
                self.passed
                    .extend(members.map(|(member, _)| (PassedKind::NoImage, member)));
            }
        }
        for (kind, member) in self.passed {
            passed.add(kind, &member);
        }
        Ok(())
    }

    fn sample(
        &self,
        parts: Parts,
        origin: TarOrigin,
        sorted: &mut Sorted,
    ) -> Result<Sample, PrepError> {
        let TarOrigin {
            split,
            file,
            is_cut,
        } = origin;
        let (member, image) = parts.image.unwrap_or_default();
        let missing = |member: &str, held: &Held, what: &str| {
            let target = match held {
                Held::Link(target) => {
                    format!("{member} is a link to {target}, which is no {what} of the tar")
                }
                _ => format!("{member} holds no {what}"),
            };
            Some(Reject::Missing(target))
        };
        let mut reject = None;
        let place = match self.follow(&image) {
            Some(Held::Image(place) | Held::Other(Some(place))) => Some(place.clone()),
            Some(Held::Special) => {
                reject = Some(Reject::NotAFile(format!(
                    "{member} is a sparse file or a device"
                )));
                None
            }
            _ => {
                reject = missing(&member, &image, "image");
                None
            }
        };
        let class = match &parts.class {
            None => None,
            Some((member, held)) => match self.follow(held) {
                Some(Held::Class(label)) => Some(label.clone()),
                _ => {
                    reject = reject.or_else(|| missing(member, held, "label"));
                    None
                }
            },
        };
        let notes = match &parts.notes {
            None => Notes::default(),
            Some((member, held)) => match self.follow(held) {
                Some(Held::Notes(notes)) => notes.clone(),
                _ => {
                    reject = reject.or_else(|| missing(member, held, "label"));
                    Notes::default()
                }
            },
        };
        let name = parts.name;
        let wrong = |message: String| self.wrong(format!("{member}: {message}"));
        let mut words = notes.words.clone();
        let label = match (class, &notes.label) {
            (Some(class), Some(label)) if class.contradicts(label) => {
                let message = format!("{name}.cls says label {class}, its .json {label}");
                return Err(self.wrong(message));
            }
            (Some(class @ WrittenLabel::Number(..)), Some(WrittenLabel::Text(text))) => {
                words = words.or_else(|| Some(text.to_string()));
                Some(class)
            }
            (Some(class), _) => Some(class),
            (None, Some(label)) => Some(label.clone()),
            (None, None) => notes.in_words().map_err(wrong)?,
        };
        let wrong = |message: String| self.wrong(format!("{member}: {message}"));
        let label = match label {
            Some(label) => sorted.labels.number(label).map_err(wrong)?,
            None => NO_LABEL,
        };
        let key = self
            .table
            .as_ref()
            .and(notes.key)
            .filter(|key| !key.is_empty());
        if label == NO_LABEL && split != "test" && key.is_none() && reject.is_none() {
            if !is_cut {
                return Err(self.wrong(format!(
                    "{member} has no label: expected {name}.cls, or {name}.json with a field \
                     \"label\"; images without labels go into tars with \"test\" in their names"
                )));
            }
            reject = Some(Reject::Cut(format!(
                "{member} has no label before the tar breaks off"
            )));
        }
        let path = notes.name.filter(|name| file_name(name).is_some());
        let path = path.as_deref().unwrap_or(&member);
        if label != NO_LABEL && self.table.is_none() {
            let wrong = |message: String| self.wrong(format!("{member}: {message}"));
            let seen = sorted
                .synsets
                .add(label, notes.synset.as_deref(), words, path);
            seen.map_err(wrong)?;
        }
        let place = match (reject, place) {
            (None, Some(place)) => place,
            (reject, _) => {
                let reject =
                    reject.unwrap_or_else(|| Reject::Missing(format!("{member} holds no image")));
                Place::Rejected(Box::new(reject))
            }
        };
        Ok(Sample {
            split,
            label,
            name: file_name(path).unwrap_or_default().into(),
            key: key.map(String::into_boxed_str),
            file,
            place,
        })
    }
}

impl Default for Held {
    fn default() -> Self {
        Self::Other(None)
    }
}
