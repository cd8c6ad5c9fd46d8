//! The ILSVRC 2012 as Kaggle packs it: `ILSVRC/Data/CLS-LOC/{train,val,test}` with CSV files beside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::folders::{flat_entries, subfolders, walk};
use super::{Entry, Layout, Listing, Place, classes, names};
use crate::error::PrepError;

const DATA: &str = "ILSVRC/Data/CLS-LOC";
const VAL_TABLE: &str = "LOC_val_solution.csv";

/// The folder with `train/` in it, if the source is Kaggle's download, or its folder `ILSVRC`.
pub(super) fn root(source: &Path) -> Option<PathBuf> {
    let data = source.join(DATA);
    let inner = source.join("Data/CLS-LOC");
    [data, inner]
        .into_iter()
        .find(|path| path.join("train").is_dir() || path.join("val").is_dir())
}

pub(super) fn list(source: &Path) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::Kaggle);
    let data = root(source).ok_or_else(|| PrepError::Source {
        path: source.join(DATA),
        message: "there is no such folder with train/ or val/ in it".to_owned(),
    })?;
    // The tables lie beside the folder ILSVRC.
    let tables = match source.join("ILSVRC").is_dir() {
        true => source.to_owned(),
        false => source.join(".."),
    };
    let words = names::in_folder(&tables)?;
    let train = data.join("train");
    let mut synsets = match train.is_dir() {
        true => subfolders(&train, &mut listing.passed)?,
        false => words.keys().cloned().collect(),
    };
    let val = data.join("val");
    let solution = match val.is_dir() {
        true => solution(&tables.join(VAL_TABLE))?,
        false => BTreeMap::new(),
    };
    synsets.extend(solution.values().cloned());
    synsets.sort();
    synsets.dedup();
    let mut entries = Vec::new();
    for (label, synset) in synsets.iter().enumerate() {
        let folder = train.join(synset);
        if folder.is_dir() {
            walk(&mut listing, &folder, |path| {
                entries.push(entry("train", synset, label, path));
            })?;
        }
    }
    listing.splits.insert("train", entries);
    if val.is_dir() {
        let labels: BTreeMap<&str, usize> = synsets.iter().map(String::as_str).zip(0..).collect();
        let (mut entries, mut unknown) = (Vec::new(), None);
        walk(&mut listing, &val, |path| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            match solution.get(stem.as_ref()) {
                Some(synset) => entries.push(entry("val", synset, labels[synset.as_str()], path)),
                None => unknown = Some(path),
            }
        })?;
        if let Some(path) = unknown {
            let message = format!("{VAL_TABLE} has no line for it");
            return Err(PrepError::Source { path, message });
        }
        listing.splits.insert("val", entries);
    }
    let test = data.join("test");
    if test.is_dir() {
        let entries = flat_entries(&mut listing, &data, &test)?;
        let located = entries.into_iter().map(|entry| Entry {
            place: match entry.place {
                Place::Key => Place::File(data.join(&*entry.key).into()),
                place => place,
            },
            ..entry
        });
        listing.splits.insert("test", located.collect());
    }
    listing.classes = classes(synsets, &words);
    Ok(listing)
}

fn entry(split: &str, synset: &str, label: usize, path: PathBuf) -> Entry {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Entry {
        label: label as i64,
        key: format!("{split}/{synset}/{name}").into(),
        place: Place::File(path.into()),
    }
}

/// Synset of each validation image, by its name without extension. The table has a line
/// `ImageId,synset x y x y synset x y x y ...` for each.
fn solution(path: &Path) -> Result<BTreeMap<String, String>, PrepError> {
    let wrong = |message: String| PrepError::Source {
        path: path.to_owned(),
        message,
    };
    let mut reader = csv::Reader::from_path(path).map_err(|error| wrong(error.to_string()))?;
    let mut synsets = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let synset = row.get(1).and_then(|boxes| boxes.split_whitespace().next());
        let (Some(image), Some(synset)) = (row.get(0), synset) else {
            let line = row.position().map_or(0, csv::Position::line);
            return Err(wrong(format!("line {line} has no image or no synset")));
        };
        synsets.insert(image.to_owned(), synset.to_owned());
    }
    Ok(synsets)
}
