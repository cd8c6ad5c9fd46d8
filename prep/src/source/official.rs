//! The files that the ILSVRC 2012 is distributed as, read where they lie.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::devkit::{self, image_number};
use super::samples::is_wnid;
use super::tar_index::{Member, ScanError, each, scan};
use super::{
    Container, Entry, Layout, Listing, NO_LABEL, PassedKind, Place, classes, is_clutter, names,
};
use crate::error::PrepError;

const TRAIN: &str = "ILSVRC2012_img_train.tar";
const VAL: &str = "ILSVRC2012_img_val.tar";
/// The test images, as first published and as corrected in 2019.
const TEST: [&str; 2] = [
    "ILSVRC2012_img_test_v10102019.tar",
    "ILSVRC2012_img_test.tar",
];

/// Folders that the training tar may have been unpacked to: itself, or one of these.
const UNPACKED: [&str; 3] = ["", "ILSVRC2012_img_train", "train"];

/// Whether the folder holds the training or the validation tar, or the training tar's tars.
pub(super) fn is_here(folder: &Path) -> bool {
    let known = [TRAIN, VAL].iter().any(|name| folder.join(name).is_file());
    known || !unpacked(folder).tars.is_empty()
}

/// What the training tar was unpacked to.
#[derive(Default)]
struct Unpacked {
    /// Its tars with their synsets, sorted.
    tars: Vec<(String, PathBuf)>,
    /// A tar among them that is none of them.
    stray: Option<PathBuf>,
}

/// The tars of the training tar where that was unpacked and they were not.
fn unpacked(source: &Path) -> Unpacked {
    for folder in UNPACKED.map(|name| source.join(name)) {
        let mut found = Unpacked::default();
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let synset = name.strip_suffix(".tar").filter(|stem| is_wnid(stem));
            if let Some(synset) = synset.map(str::to_owned)
                && path.is_file()
            {
                found.tars.push((synset, path));
            } else if name.ends_with(".tar") && !name.starts_with("ILSVRC") && !is_clutter(&name) {
                found.stray = Some(path);
            }
        }
        if !found.tars.is_empty() {
            found.tars.sort();
            return found;
        }
    }
    Unpacked::default()
}

/// Lists the training tar, a tar of one tar a synset, or these; the validation tar, labelled by the
/// development kit; and the test tar, whichever there are.
pub(super) fn list(source: &Path) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::Official);
    // Synset and image of everything found; labels follow when every synset is known.
    let mut found: Vec<(&'static str, String, Entry)> = Vec::new();
    if let Some((path, container)) = open(&mut listing, &source.join(TRAIN)) {
        train(&mut listing, &path, container, &mut found)?;
    } else {
        let Unpacked { tars, stray } = unpacked(source);
        if let Some(path) = stray {
            let message =
                "it lies among the tars of synsets and is none: move it away, or name the \
                           layout with --layout"
                    .to_owned();
            return Err(PrepError::Source { path, message });
        }
        for (synset, path) in tars {
            listing.containers.push(Container::Path(path.clone()));
            let container = listing.containers.len() as u32 - 1;
            each(&path, |member| {
                if let Some(name) = file_name(&mut listing, &member) {
                    let entry = entry("train", &synset, &name, container, &member);
                    found.push(("train", synset.clone(), entry));
                }
                Ok(())
            })?;
        }
    }
    let mut words = names::in_folder(source)?;
    if let Some((path, container)) = open(&mut listing, &source.join(VAL)) {
        let kit = devkit::read(source)?.ok_or_else(|| PrepError::Source {
            path: path.clone(),
            message: "its labels are in the development kit: put ILSVRC2012_devkit_t12.tar.gz \
                      beside it, or move the tar away to ingest the training images alone"
                .to_owned(),
        })?;
        each(&path, |member| {
            let Some(name) = file_name(&mut listing, &member) else {
                return Ok(());
            };
            let number = image_number(&name);
            let synset = number.and_then(|number| kit.validation.get(number - 1));
            let synset = synset.ok_or_else(|| PrepError::Source {
                path: path.clone(),
                message: format!("the development kit has no label for {name}"),
            })?;
            let entry = entry("val", synset, &name, container, &member);
            found.push(("val", synset.clone(), entry));
            Ok(())
        })?;
        for (synset, name) in kit.words {
            words.entry(synset).or_insert(name);
        }
    }
    let synsets: BTreeSet<String> = found.iter().map(|(_, synset, _)| synset.clone()).collect();
    let synsets: Vec<String> = synsets.into_iter().collect();
    let labels: BTreeMap<&str, i64> = synsets.iter().map(String::as_str).zip(0..).collect();
    for (split, synset, mut entry) in found {
        entry.label = labels[synset.as_str()];
        listing.splits.entry(split).or_default().push(entry);
    }
    let test = TEST.map(|name| source.join(name));
    if let Some((path, container)) = test.iter().find_map(|path| open(&mut listing, path)) {
        let mut entries = Vec::new();
        each(&path, |member| {
            if let Some(name) = file_name(&mut listing, &member) {
                entries.push(entry("test", "", &name, container, &member));
            }
            Ok(())
        })?;
        listing.splits.insert("test", entries);
    }
    listing.classes = classes(synsets, &words);
    Ok(listing)
}

/// Makes a file a container of the listing if it is there.
fn open(listing: &mut Listing, path: &Path) -> Option<(PathBuf, u32)> {
    if !path.is_file() {
        return None;
    }
    listing.containers.push(Container::Path(path.to_owned()));
    Some((path.to_owned(), listing.containers.len() as u32 - 1))
}

fn train(
    listing: &mut Listing,
    path: &Path,
    container: u32,
    found: &mut Vec<(&'static str, String, Entry)>,
) -> Result<(), PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
    each(path, |inner| {
        let Some(name) = file_name(listing, &inner) else {
            return Ok(());
        };
        let Some(synset) = name.strip_suffix(".tar") else {
            listing.passed.add(PassedKind::NoImage, &name);
            return Ok(());
        };
        let result: Result<(), ScanError> = scan(&file, inner.offset, inner.len, |member| {
            if let Some(name) = file_name(listing, &member) {
                let entry = entry("train", synset, &name, container, &member);
                found.push(("train", synset.to_owned(), entry));
            }
            Ok(())
        });
        result.map_err(|error| error.at(&path.join(&name)))
    })
}

/// The member's name without its folders; `None`, counted, if it is clutter.
fn file_name(listing: &mut Listing, member: &Member) -> Option<String> {
    let name = member.name.rsplit('/').next().unwrap_or_default();
    if is_clutter(name) || name.is_empty() {
        let kind = PassedKind::by_name(name).unwrap_or(PassedKind::NoImage);
        listing.passed.add(kind, &member.name);
        return None;
    }
    Some(name.to_owned())
}

fn entry(split: &str, synset: &str, name: &str, container: u32, member: &Member) -> Entry {
    let key = if synset.is_empty() {
        format!("{split}/{name}")
    } else {
        format!("{split}/{synset}/{name}")
    };
    Entry {
        label: NO_LABEL,
        key: key.into(),
        place: Place::Range {
            container,
            offset: member.offset,
            len: member.len,
        },
    }
}
