//! The ILSVRC 2012 as Kaggle packs it: `ILSVRC/Data/CLS-LOC/{train,val,test}` with CSV files beside.

use std::path::{Path, PathBuf};

use super::collecting::Collecting;
use super::request::SourceRequest;
use super::splits::{self, ORDER, paths};
use super::tree::Tree;
use super::{Layout, Listing};
use crate::error::PrepError;

const DATA: &str = "ILSVRC/Data/CLS-LOC";

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
    // The tables are beside the folder ILSVRC.
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
