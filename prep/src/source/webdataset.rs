//! WebDataset: tars whose members belong together by their names, `0001.jpg` beside `0001.cls` or
//! `0001.json`.

use std::collections::BTreeMap;
use std::path::Path;

use super::archive::{Broken, Packing, each_in_place, each_unpacked};
use super::class_table::ClassTable;
use super::packed::{self, Packed};
use super::request::SourceRequest;
use super::samples::{Sample, fill_gaps, finish, named};
use super::spool::Spool;
use super::synsets::Synsets;
use super::tar_index::ScanError;
use super::tar_samples::{Sorted, Tar, TarOrigin};
use super::text::relative;
use super::tree::Tree;
use super::written_label::Labels;
use super::{Layout, Listing, NO_LABEL, Place, names, renumbered};
use crate::error::PrepError;
use crate::io::progress::Progress;
use crate::reject::Reject;

/// Whether a file is named like a tar.
pub(super) fn fits(name: &str) -> bool {
    Packing::of(name).is_some()
}

/// Lists a folder of tars, or one. Compressed ones are unpacked beside the output.
pub(super) fn list(request: &SourceRequest<'_>) -> Result<Listing, PrepError> {
    let (source, out, show) = (request.source, request.out, request.progress);
    let mut listing = Listing::new(Layout::WebDataset);
    let files = packed::files(source, fits)?;
    let folder = if source.is_dir() {
        source
    } else {
        source.parent().unwrap_or(Path::new(""))
    };
    let (mut samples, mut spool) = (Vec::new(), None);
    let mut sorted = Sorted::default();
    let mut table: Option<Option<ClassTable>> = None;
    let mut failed = None;
    let observer = request.observer;
    let progress = Progress::new("read tars", files.len() as u64, show, observer);
    for (number, Packed { path, split }) in files.iter().enumerate() {
        let file = number as u32;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut tar = Tar::new(path);
        let broken = match Packing::of(&name) {
            Some(Packing::Plain) | None => {
                each_in_place(path, &mut listing.containers, |head, content| {
                    progress.check().map_err(ScanError::Prep)?;
                    tar.add(head, content)
                })?
            }
            Some(packing) => {
                request.may_unpack(path)?;
                let mut open = match spool.take() {
                    Some(open) => open,
                    None => Spool::new(out, &mut listing.containers)?,
                };
                let broken = each_unpacked(path, packing, &mut open, |head, content| {
                    progress.check().map_err(ScanError::Prep)?;
                    tar.add(head, content)
                })?;
                spool = Some(open);
                broken
            }
        };
        // One that is cut before its table is no other set for it.
        if broken.is_none() || tar.table().is_some() {
            let same = |before: &Option<ClassTable>| {
                let classes =
                    |table: &Option<ClassTable>| table.as_ref().map(|t| t.classes.clone());
                classes(before) == classes(&tar.table().cloned())
            };
            if table.as_ref().is_some_and(|before| !same(before)) {
                return Err(PrepError::Source {
                    path: path.clone(),
                    message: "its class names are not those of the tars before it".to_owned(),
                });
            }
            table.get_or_insert_with(|| tar.table().cloned());
        }
        let said = tar.table().and_then(ClassTable::split);
        let split = split.or(said).unwrap_or("train");
        let origin = TarOrigin {
            split,
            file,
            is_cut: broken.is_some(),
        };
        tar.close(origin, &mut listing.passed, &mut samples, &mut sorted)?;
        if let Some(broken) = broken {
            let name = relative(folder, path);
            failed.get_or_insert_with(|| (path.clone(), broken.message.clone()));
            samples.push(rejected(split, file, &name, &broken));
        }
        progress.add(1);
    }
    progress.finish();
    let usable = |sample: &Sample| !matches!(sample.place, Place::Rejected(_));
    if !samples.iter().any(usable) {
        let (path, message) = failed.unwrap_or_else(|| {
            let message = "its tars hold no images: expected members such as 0001.jpg and 0001.cls";
            (source.to_owned(), message.to_owned())
        });
        return Err(PrepError::Source { path, message });
    }
    let mut words = names::in_folder(if source.is_dir() {
        source
    } else {
        Path::new("")
    })?;
    if source.is_dir() {
        let consumed = files.iter().map(|file| file.path.clone()).collect();
        let used = names::file_in(source).into_iter().collect();
        let tree = Tree::new(source, out).observed(observer);
        tree.count_rest(&mut listing.passed, &consumed, &used);
    }
    let Sorted { labels, synsets } = sorted;
    let synsets = match table.flatten() {
        Some(table) => {
            of_table(&table, &labels, &mut words).map_err(|message| PrepError::Source {
                path: source.to_owned(),
                message,
            })?
        }
        None => {
            let synsets = classes(&labels, synsets, &mut words);
            if labels.names().is_empty() {
                listing.notes.extend(renumbered::note(&synsets, &words));
            }
            synsets
        }
    };
    finish(listing, &files, samples, &synsets, &words)
}

/// The synset of each label of a set that is not ours.
fn classes(
    labels: &Labels,
    synsets: Synsets,
    words: &mut BTreeMap<String, String>,
) -> BTreeMap<i64, String> {
    let names = labels.names();
    if !names.is_empty() {
        let mut said = BTreeMap::new();
        // Words that the samples have for their classes.
        synsets.resolve(&mut said);
        for (synset, text) in said {
            words.entry(synset).or_insert(text);
        }
        return named(names.into_iter(), words);
    }
    let mut synsets = synsets.resolve(words);
    fill_gaps(&mut synsets);
    synsets
}

/// The synset of each label by the table of an export.
pub(super) fn of_table(
    table: &ClassTable,
    labels: &Labels,
    words: &mut BTreeMap<String, String>,
) -> Result<BTreeMap<i64, String>, String> {
    let count = table.classes.len() as i64;
    if let Some(label) = labels.largest().filter(|&label| label >= count) {
        return Err(format!(
            "label {label} is not one of the {count} classes of its table"
        ));
    }
    if let Some((_, name)) = labels.names().first_key_value() {
        return Err(format!(
            "label {name:?} is not the number of a class in its table"
        ));
    }
    let classes = (0..).zip(&table.classes);
    Ok(classes
        .map(|(label, class)| {
            words.insert(class.synset.clone(), class.name.clone());
            (label, class.synset.clone())
        })
        .collect())
}

/// A reject for the unreadable rest of a broken tar.
fn rejected(split: &'static str, file: u32, tar: &str, broken: &Broken) -> Sample {
    let Broken { member, message } = broken;
    let (key, at) = match member {
        Some(member) => {
            let member = super::tar_part::text(member);
            (format!("{tar}/{member}"), format!("in its member {member}"))
        }
        None => (tar.to_owned(), "between members".to_owned()),
    };
    let reason = format!("{tar} breaks off {at} ({message}); what comes behind is unknown");
    Sample {
        split,
        label: NO_LABEL,
        name: tar.into(),
        key: Some(key.into()),
        file,
        place: Place::Rejected(Box::new(Reject::Cut(reason))),
    }
}
