//! The ILSVRC 2012 as Kaggle packs it: `ILSVRC/Data/CLS-LOC/{train,val,test}` with CSV files beside.

use std::path::{Path, PathBuf};

use super::bounded::read_text;
use super::flat::Named;
use super::folders::{ORDER, paths};
use super::request::SourceRequest;
use super::splits::{self, Collecting};
use super::tree::Tree;
use super::{Layout, Listing};
use crate::error::PrepError;

const DATA: &str = "ILSVRC/Data/CLS-LOC";
pub(super) const VAL_TABLE: &str = "LOC_val_solution.csv";

/// The folder with `train/` in it, if the source is Kaggle's download, or its folder `ILSVRC`.
pub(super) fn root(source: &Path) -> Option<PathBuf> {
    let data = source.join(DATA);
    let inner = source.join("Data/CLS-LOC");
    [data, inner]
        .into_iter()
        .find(|path| path.join("train").is_dir() || path.join("val").is_dir())
}

pub(super) fn list(request: &SourceRequest<'_>) -> Result<Listing, PrepError> {
    let source = request.source;
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
    let tree = Tree::new(source, request.out).observed(request.observer);
    let level = tree.level(&data)?;
    let splits = splits::named(&tree, &level)?;
    let mut collecting = Collecting::new(&tree, request, &mut listing, vec![tables], false);
    collecting.read_words()?;
    if !splits.folders.contains_key("train") {
        let synsets: Vec<String> = collecting.words.keys().cloned().collect();
        for synset in synsets {
            collecting.collected.class(&synset);
        }
    }
    for split in ORDER {
        if let Some(folder) = splits.folders.get(split) {
            collecting.add(split, folder)?;
        }
    }
    collecting.finish(&paths(splits.folders.values()))?;
    Ok(listing)
}

/// Synset of each validation image, by its name without extension. The table has a line
/// `ImageId,synset x y x y synset x y x y ...` for each.
pub(super) fn solution(path: &Path) -> Result<Named, PrepError> {
    let wrong = |message: String| PrepError::Source {
        path: path.to_owned(),
        message,
    };
    let text = read_text(path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut synsets = Named::default();
    for row in reader.records() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        let synset = row.get(1).and_then(|boxes| boxes.split_whitespace().next());
        let (Some(image), Some(synset)) = (row.get(0), synset) else {
            return Err(wrong(format!("line {line} has no image or no synset")));
        };
        synsets
            .add(image, synset, line)
            .map_err(|message| wrong(format!("line {line}: {message}")))?;
    }
    Ok(synsets)
}
