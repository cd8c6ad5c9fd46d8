//! The files that the ILSVRC 2012 is distributed as, read where they are.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::collecting::Collecting;
use super::devkit::{self, image_number};
use super::request::SourceRequest;
use super::samples::is_wnid;
use super::splits::{self, ORDER};
use super::tar_index::{Member, ScanError, each, scan};
use super::tree::Tree;
use super::{Container, Layout, Listing, NO_LABEL, PassedKind, Place, is_clutter};
use crate::error::PrepError;
use crate::reject::Reject;

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

/// Lists the training tar, or a tar of each synset, or class folders; the validation tar, labelled by the
/// development kit, or a folder; and the test tar, or a folder.
pub(super) fn list(request: &SourceRequest<'_>) -> Result<Listing, PrepError> {
    let source = request.source;
    let tree = Tree::new(source, request.out).observed(request.observer);
    let level = tree.level(source)?;
    let splits = splits::named(&tree, &level)?;
    let mut listing = Listing::new(Layout::Official);
    let tables = vec![source.to_owned()];
    let mut collecting = Collecting::new(&tree, request, &mut listing, tables, false);
    collecting.read_words()?;
    let mut consumed = BTreeSet::new();
    for split in ORDER {
        let folder = splits.folders.get(split);
        let tars = match split {
            "train" => train(&mut collecting, &mut consumed)?,
            "val" => val(&mut collecting, &mut consumed)?,
            _ => test(&mut collecting, &mut consumed)?,
        };
        if let (false, Some(folder)) = (tars, folder) {
            collecting.add(split, folder)?;
            consumed.insert(folder.path.clone());
        }
    }
    collecting.finish(&consumed)?;
    Ok(listing)
}

/// Makes a tar a container of the listing if it is there.
fn open(listing: &mut Listing, consumed: &mut BTreeSet<PathBuf>, path: &Path) -> Option<u32> {
    if !path.is_file() {
        return None;
    }
    consumed.insert(path.to_owned());
    listing.containers.push(Container::Path(path.to_owned()));
    Some(listing.containers.len() as u32 - 1)
}

/// Adds the training images that are in tars; whether there are any.
fn train(
    collecting: &mut Collecting<'_>,
    consumed: &mut BTreeSet<PathBuf>,
) -> Result<bool, PrepError> {
    let path = collecting.tree.source.join(TRAIN);
    if path.is_file() {
        consumed.insert(path.clone());
        if collecting.leaves_out("train", &path) {
            return Ok(true);
        }
        let Some(container) = open(collecting.listing, consumed, &path) else {
            return Ok(false);
        };
        tar_of_tars(collecting, &path, container)?;
        return Ok(true);
    }
    let Unpacked { tars, stray } = unpacked(collecting.tree.source);
    if let (false, Some(path)) = (tars.is_empty(), stray) {
        let message =
            "it lies among the tars of synsets and is none: move it away, or name the layout \
                       with --layout"
                .to_owned();
        return Err(PrepError::Source { path, message });
    }
    let any = !tars.is_empty();
    for (synset, path) in tars {
        consumed.insert(path.clone());
        if collecting.leaves_out("train", &path) {
            continue;
        }
        let Some(container) = open(collecting.listing, consumed, &path) else {
            continue;
        };
        let class = collecting.collected.class(&synset);
        each(&path, |member| {
            collecting.tree.seen()?;
            add(collecting, "train", class, container, &member);
            Ok(())
        })?;
    }
    Ok(any)
}

fn tar_of_tars(
    collecting: &mut Collecting<'_>,
    path: &Path,
    container: u32,
) -> Result<(), PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
    each(path, |inner| {
        collecting.tree.seen()?;
        let Some(name) = file_name(collecting.listing, &inner) else {
            return Ok(());
        };
        let cut = matches!(inner.reject, Some(Reject::Cut(_)));
        let synset = name
            .strip_suffix(".tar")
            .filter(|stem| is_wnid(stem) || inner.reject.is_none());
        let Some(synset) = synset.filter(|_| cut || inner.reject.is_none()) else {
            match inner.reject {
                Some(_) => add(collecting, "train", NO_LABEL, container, &inner),
                None => collecting.listing.passed.add(PassedKind::NoImage, &name),
            }
            return Ok(());
        };
        let class = collecting.collected.class(synset);
        // Of one that is cut with the tar around it, what is there is used; the scan names the rest.
        let part = (inner.offset, inner.len);
        let result: Result<(), ScanError> = scan(&file, part, &name, |member| {
            collecting.tree.seen().map_err(ScanError::Prep)?;
            add(collecting, "train", class, container, &member);
            Ok(())
        });
        result.map_err(|error| error.at(&path.join(&name)))
    })
}

/// Adds the images of the validation tar; whether it is there.
fn val(
    collecting: &mut Collecting<'_>,
    consumed: &mut BTreeSet<PathBuf>,
) -> Result<bool, PrepError> {
    let source = collecting.tree.source;
    let path = source.join(VAL);
    if !path.is_file() {
        return Ok(false);
    }
    consumed.insert(path.clone());
    if collecting.leaves_out("val", &path) {
        return Ok(true);
    }
    let Some(container) = open(collecting.listing, consumed, &path) else {
        return Ok(false);
    };
    let kit = devkit::read(source)?.ok_or_else(|| PrepError::Source {
        path: path.clone(),
        message:
            "its labels are in the development kit: put ILSVRC2012_devkit_t12.tar.gz beside it, or \
                  leave the split out with --without val"
                .to_owned(),
    })?;
    collecting.used.extend(devkit::files(source));
    each(&path, |member| {
        collecting.tree.seen()?;
        let Some(name) = file_name(collecting.listing, &member) else {
            return Ok(());
        };
        let number = image_number(&name);
        let synset = number.and_then(|number| kit.validation.get(number - 1));
        let class = match synset {
            Some(synset) => collecting.collected.class(synset),
            // The tar itself has no label, and needs none.
            None if member.reject.is_some() => NO_LABEL,
            None => {
                let message = format!("the development kit has no label for {name}");
                return Err(PrepError::Source {
                    path: path.clone(),
                    message,
                });
            }
        };
        let place = place(container, &member);
        collecting.collected.add("val", class, &name, place);
        Ok(())
    })?;
    for (synset, name) in kit.words {
        collecting.words.entry(synset).or_insert(name);
    }
    Ok(true)
}

/// Adds the images of the test tar; whether it is there.
fn test(
    collecting: &mut Collecting<'_>,
    consumed: &mut BTreeSet<PathBuf>,
) -> Result<bool, PrepError> {
    let paths = TEST.map(|name| collecting.tree.source.join(name));
    let Some(path) = paths.into_iter().find(|path| path.is_file()) else {
        return Ok(false);
    };
    consumed.insert(path.clone());
    if collecting.leaves_out("test", &path) {
        return Ok(true);
    }
    if let Some(container) = open(collecting.listing, consumed, &path) {
        each(&path, |member| {
            collecting.tree.seen()?;
            add(collecting, "test", NO_LABEL, container, &member);
            Ok(())
        })?;
    }
    Ok(true)
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

fn add(
    collecting: &mut Collecting<'_>,
    split: &'static str,
    class: i64,
    container: u32,
    member: &Member,
) {
    if let Some(name) = file_name(collecting.listing, member) {
        let place = place(container, member);
        collecting.collected.add(split, class, &name, place);
    }
}

fn place(container: u32, member: &Member) -> Place {
    match &member.reject {
        Some(reject) => Place::Rejected(Box::new(reject.clone())),
        None => Place::Range {
            container,
            offset: member.offset,
            len: member.len,
        },
    }
}
