//! The development kit of the ILSVRC 2012: which synset each validation image shows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::mat::{self, Value};
use super::tar_walk::{Stream, Walk};
use crate::error::PrepError;

/// The kit as it is distributed, and the folder that it unpacks to.
const NAMES: [&str; 2] = ["ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_devkit_t12"];
const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";
const META: &str = "meta.mat";
/// Most bytes read of a file of the kit, and of the kit as a whole.
const LONGEST: u64 = 64 << 20;

/// What the kit says.
pub(super) struct Devkit {
    /// Synset of each validation image, in the order of their numbers from 1.
    pub(super) validation: Vec<String>,
    /// Words of each synset.
    pub(super) words: BTreeMap<String, String>,
}

/// The files of the kit in `folder` that are read.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let kits = NAMES.map(|name| folder.join(name)).into_iter();
    let Some(kit) = kits.into_iter().find(|path| path.exists()) else {
        return Vec::new();
    };
    match kit.is_dir() {
        true => [GROUND_TRUTH, META]
            .map(|name| kit.join("data").join(name))
            .to_vec(),
        false => vec![kit],
    }
}

/// Reads the kit in `folder`, packed or unpacked; `None` if there is none.
pub(super) fn read(folder: &Path) -> Result<Option<Devkit>, PrepError> {
    let Some(path) = NAMES
        .map(|name| folder.join(name))
        .into_iter()
        .find(|path| path.exists())
    else {
        return Ok(None);
    };
    let (mut truth, mut meta) = (None, None);
    let mut keep = |name: &str, bytes: &mut dyn Read| -> Result<(), PrepError> {
        let slot = match name {
            GROUND_TRUTH => &mut truth,
            META => &mut meta,
            _ => return Ok(()),
        };
        let mut all = Vec::new();
        let read = bytes.take(LONGEST).read_to_end(&mut all);
        read.map_err(PrepError::io(&path))?;
        if all.len() as u64 == LONGEST {
            return Err(PrepError::Source {
                path: path.clone(),
                message: format!(
                    "{name} has {} MB or more, which no kit's has",
                    LONGEST >> 20
                ),
            });
        }
        *slot = Some(all);
        Ok(())
    };
    if path.is_dir() {
        for name in [GROUND_TRUTH, META] {
            let file = path.join("data").join(name);
            let mut file = File::open(&file).map_err(PrepError::io(&file))?;
            keep(name, &mut file)?;
        }
    } else {
        let file = File::open(&path).map_err(PrepError::io(&path))?;
        let mut walk = Walk::new(Stream(GzDecoder::new(file).take(LONGEST)));
        while let Some(head) = walk.next().map_err(PrepError::io(&path))? {
            let name = String::from_utf8_lossy(&head.name).into_owned();
            keep(name.rsplit('/').next().unwrap_or_default(), &mut walk)?;
        }
    }
    parse(&path, truth, meta).map(Some)
}

fn parse(path: &Path, truth: Option<Vec<u8>>, meta: Option<Vec<u8>>) -> Result<Devkit, PrepError> {
    let wrong = |file: &str, message: String| PrepError::Source {
        path: PathBuf::from(path).join("data").join(file),
        message,
    };
    let absent = |file| wrong(file, "the development kit has no such file".to_owned());
    let meta = meta.ok_or_else(|| absent(META))?;
    let structs = mat::structs(&meta).map_err(|message| wrong(META, message))?;
    let (mut synsets, mut words) = (BTreeMap::new(), BTreeMap::new());
    for fields in structs {
        let (mut id, mut synset, mut name) = (None, None, None);
        for (field, value) in fields {
            match (field.as_str(), value) {
                ("ILSVRC2012_ID", Value::Number(number)) => id = Some(number as u64),
                ("WNID", Value::Text(text)) => synset = Some(text),
                ("words", Value::Text(text)) => name = Some(text),
                _ => {}
            }
        }
        let (Some(id), Some(synset)) = (id, synset) else {
            let message = "a synset has no ILSVRC2012_ID or no WNID".to_owned();
            return Err(wrong(META, message));
        };
        words.extend(name.map(|name| (synset.clone(), name)));
        synsets.insert(id, synset);
    }
    let truth = truth.ok_or_else(|| absent(GROUND_TRUTH))?;
    let truth = String::from_utf8_lossy(&truth).into_owned();
    let synset = |(line, id): (usize, &str)| {
        let number = id.trim().parse().ok();
        number
            .and_then(|id: u64| synsets.get(&id).cloned())
            .ok_or_else(|| {
                let message = format!("line {}: {id:?} is the id of no synset in {META}", line + 1);
                wrong(GROUND_TRUTH, message)
            })
    };
    let validation = truth.trim_end().lines().enumerate().map(synset);
    Ok(Devkit {
        validation: validation.collect::<Result<_, _>>()?,
        words,
    })
}

/// The number in the name of a validation image, from 1: `ILSVRC2012_val_00000001.JPEG`.
pub(super) fn image_number(name: &str) -> Option<usize> {
    let (stem, _) = name.rsplit_once('.')?;
    let digits = stem.strip_prefix("ILSVRC2012_val_")?;
    digits.parse().ok().filter(|&number| number > 0)
}
