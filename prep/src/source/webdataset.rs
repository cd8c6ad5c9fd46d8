//! WebDataset: tars whose members belong together by their names, `0001.jpg` beside `0001.cls` or
//! `0001.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::archive::{Content, Packing, each_in_place, each_unpacked};
use super::packed::{self, Packed};
use super::samples::{LARGEST_LABEL, Sample, file_name, fill_gaps, finish, is_wnid};
use super::spool::Spool;
use super::synsets::Synsets;
use super::{Layout, Listing, NO_LABEL, PassedKind, Place, names};
use crate::error::PrepError;
use crate::progress::Progress;

/// Members that are images, by the end of their names.
const IMAGES: [&str; 4] = ["jpg", "jpeg", "png", "webp"];
/// Fields of a `.json` that may hold the label, the synset, the synset or its words, and the name.
const LABEL: [&str; 2] = ["label", "cls"];
const SYNSET: [&str; 3] = ["synset", "wnid", "synset_id"];
const CLASS: [&str; 3] = ["class_name", "classname", "class"];
const NAME: [&str; 2] = ["filename", "file_name"];
/// Longest `.cls` or `.json` that is read, in bytes.
const LONGEST_TEXT: u64 = 1 << 20;

/// Whether a file is called like a tar.
pub(super) fn fits(name: &str) -> bool {
    Packing::of(name).is_some()
}

/// Lists a folder of tars, or one. Compressed ones are unpacked beside the output `out`. `show` asks
/// for progress.
pub(super) fn list(source: &Path, out: &Path, show: bool) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::WebDataset);
    let files = packed::files(source, fits)?;
    let (mut samples, mut synsets, mut spool) = (Vec::new(), Synsets::default(), None);
    let progress = Progress::new("read tars", files.len() as u64, show);
    for (number, Packed { path, split }) in files.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut tar = Tar::new(path);
        match Packing::of(&name) {
            Some(Packing::Plain) | None => {
                each_in_place(path, &mut listing.containers, |name, content| {
                    tar.add(name, content)
                })?;
            }
            Some(packing) => {
                let mut open = match spool.take() {
                    Some(open) => open,
                    None => Spool::new(out, &mut listing.containers)?,
                };
                each_unpacked(path, packing, &mut open, |name, content| {
                    tar.add(name, content)
                })?;
                spool = Some(open);
            }
        }
        let split = split.unwrap_or("train");
        tar.close(split, number as u32, &mut samples, &mut synsets)?;
        for member in tar.passed {
            listing.passed.add(PassedKind::NoImage, &member);
        }
        progress.add(1);
    }
    progress.finish();
    if samples.is_empty() {
        return Err(PrepError::Source {
            path: source.to_owned(),
            message: format!(
                "its tars hold no images: expected members such as 0001.jpg and 0001.cls, images as .{}",
                IMAGES.join(", .")
            ),
        });
    }
    let folder = if source.is_dir() {
        source
    } else {
        Path::new("")
    };
    let mut words = names::in_folder(folder)?;
    let mut synsets = synsets.resolve(&mut words);
    fill_gaps(&mut synsets);
    finish(listing, &files, samples, &synsets, &words)
}

/// The samples of one tar while it is read.
struct Tar<'a> {
    path: &'a Path,
    parts: BTreeMap<String, Parts>,
    /// Members that belong to no image.
    passed: Vec<String>,
}

/// What a tar has of a sample.
#[derive(Default)]
struct Parts {
    image: Option<(String, Place)>,
    class: Option<i64>,
    notes: Notes,
}

/// What a sample's `.json` says.
#[derive(Default)]
struct Notes {
    label: Option<i64>,
    synset: Option<String>,
    words: Option<String>,
    name: Option<String>,
}

impl<'a> Tar<'a> {
    const fn new(path: &'a Path) -> Self {
        Self {
            path,
            parts: BTreeMap::new(),
            passed: Vec::new(),
        }
    }

    fn wrong(&self, message: String) -> PrepError {
        PrepError::Source {
            path: self.path.to_owned(),
            message,
        }
    }

    fn add(&mut self, member: &str, content: Content<'_>) -> Result<(), PrepError> {
        let Some(name) = file_name(member) else {
            self.passed.push(member.to_owned());
            return Ok(());
        };
        // A sample's members share everything up to the first dot of the file's name.
        let Some((stem, extension)) = name.split_once('.') else {
            return Ok(());
        };
        let folder = &member[..member.len() - name.len()];
        let sample = format!("{folder}{stem}");
        let last = extension.rsplit('.').next().unwrap_or_default();
        let last = last.to_ascii_lowercase();
        match last.as_str() {
            "cls" => {
                let text = self.text(member, content)?;
                let class = Some(self.label(member, text.trim())?);
                self.parts.entry(sample).or_default().class = class;
            }
            "json" => {
                let text = self.text(member, content)?;
                let notes = self.notes(member, &text)?;
                self.parts.entry(sample).or_default().notes = notes;
            }
            image if IMAGES.contains(&image) => {
                let place = content.image()?;
                let parts = self.parts.entry(sample).or_default();
                if let Some((other, _)) = parts.image.replace((member.to_owned(), place)) {
                    let message = format!("{other} and {member} are two images of one sample");
                    return Err(self.wrong(message));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&self, member: &str, content: Content<'_>) -> Result<String, PrepError> {
        let text = content
            .text(LONGEST_TEXT)?
            .ok_or_else(|| self.wrong(format!("{member} has more than {LONGEST_TEXT} bytes")))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn label(&self, member: &str, text: &str) -> Result<i64, PrepError> {
        let number = text.parse().ok();
        number
            .filter(|label| (NO_LABEL..=LARGEST_LABEL).contains(label))
            .ok_or_else(|| {
                let shown: String = text.chars().take(40).collect();
                self.wrong(format!(
                    "{member}: label {shown:?} is not one of 0 to {LARGEST_LABEL}"
                ))
            })
    }

    fn notes(&self, member: &str, text: &str) -> Result<Notes, PrepError> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| self.wrong(format!("{member} is no JSON: {error}")))?;
        let found = |names: &[&str]| names.iter().find_map(|name| json.get(name));
        let text = |names: &[&str]| found(names).and_then(Value::as_str).map(str::to_owned);
        let label = match found(&LABEL) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(self.label(member, text.trim())?),
            Some(value) => Some(self.label(member, &value.to_string())?),
        };
        let (mut synset, mut words) = (text(&SYNSET), text(&CLASS));
        if synset.is_none() && words.as_deref().is_some_and(is_wnid) {
            synset = words.take();
        }
        Ok(Notes {
            label,
            synset,
            words,
            name: text(&NAME),
        })
    }

    /// Makes samples of what was found.
    fn close(
        &mut self,
        split: &'static str,
        file: u32,
        samples: &mut Vec<Sample>,
        synsets: &mut Synsets,
    ) -> Result<(), PrepError> {
        for (sample, parts) in std::mem::take(&mut self.parts) {
            let Parts {
                image,
                class,
                notes,
            } = parts;
            let Some((member, place)) = image else {
                self.passed.push(sample);
                continue;
            };
            if let (Some(class), Some(label)) = (class, notes.label)
                && class != label
            {
                let message = format!("{sample}.cls says label {class}, its .json {label}");
                return Err(self.wrong(message));
            }
            let label = class.or(notes.label).unwrap_or(NO_LABEL);
            if label == NO_LABEL && split != "test" {
                return Err(self.wrong(format!(
                    "{member} has no label: expected {sample}.cls, or {sample}.json with a field \
                     \"label\"; images without labels go into tars with \"test\" in their names"
                )));
            }
            let path = notes.name.filter(|name| file_name(name).is_some());
            let path = path.as_deref().unwrap_or(&member);
            if label != NO_LABEL {
                synsets
                    .see(label, notes.synset.as_deref(), notes.words, path)
                    .map_err(|message| self.wrong(format!("{member}: {message}")))?;
            }
            samples.push(Sample {
                split,
                label,
                name: file_name(path).unwrap_or_default().into(),
                file,
                place,
            });
        }
        Ok(())
    }
}
