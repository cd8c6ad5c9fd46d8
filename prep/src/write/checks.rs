//! Checks of a sample before it is decoded.

use std::collections::{BTreeMap, HashSet};

use shardmill_formats::{Class, Manifest, Preprocessing, Split, check_key};

use super::manifest;
use super::options::{Image, Sample, WriteOptions};
use super::work::Item;
use crate::error::PrepError;
use crate::source::NO_LABEL;

/// Checks samples, and remembers what later ones must agree with.
pub(super) struct Checks {
    pub(super) classes: Vec<Class>,
    pub(super) used: Used,
    size: u32,
    /// A manifest without splits, with which names of splits are tried.
    empty: Manifest,
    splits: BTreeMap<String, Known>,
    /// Of all splits, by the first half of their hash: two of a billion are alike with a chance of 1 to 10^20.
    keys: HashSet<[u8; 16]>,
    samples: u64,
}

/// What is known of a split.
struct Known {
    samples: u64,
    is_labelled: bool,
}

/// What was needed to make records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    is_decoder: bool,
    is_array: bool,
    is_resizer: bool,
}

impl Used {
    /// Says of the decoder and the resizer only what is true.
    pub(super) fn note(self, made: &mut Preprocessing) {
        match (self.is_decoder, self.is_array) {
            (true, true) => made.decoder += "; some samples were given as pixels",
            (false, true) => "none: samples were given as pixels".clone_into(&mut made.decoder),
            _ => {}
        }
        if !self.is_resizer {
            "none: samples were given in the records' size".clone_into(&mut made.resizer);
        }
    }
}

impl Checks {
    /// # Errors
    /// Classes that no manifest can have.
    pub(super) fn new(options: &WriteOptions) -> Result<Self, PrepError> {
        let classes = options.classes.clone();
        if let Some(pair) = classes
            .windows(2)
            .find(|pair| pair[0].synset >= pair[1].synset)
        {
            return Err(PrepError::Option {
                option: "classes",
                found: format!("{:?}", pair[1].synset),
                expected: format!(
                    "it comes behind {:?}; give classes sorted by synset, each once, or their names alone",
                    pair[0].synset
                ),
            });
        }
        let mut empty = manifest(options, Vec::new(), 0);
        // Only names are tried with it.
        (empty.height, empty.width) = (1, 1);
        Ok(Self {
            classes,
            used: Used::default(),
            size: options.size,
            empty,
            splits: BTreeMap::new(),
            keys: HashSet::new(),
            samples: 0,
        })
    }

    pub(super) const fn samples(&self) -> u64 {
        self.samples
    }

    /// The sample with its key, and whether its split has labels. Only a sample without an error is remembered.
    pub(super) fn check(&mut self, split: &str, sample: Sample) -> Result<(Item, bool), PrepError> {
        if !self.splits.contains_key(split) {
            self.check_split(split)?;
        }
        let known = self.splits.get(split);
        let Sample { image, label, key } = sample;
        let number = known.map_or(0, |known| known.samples);
        let key = key.unwrap_or_else(|| format!("{split}/{number:08}"));
        let wrong = |message: String| PrepError::Sample {
            split: split.to_owned(),
            key: key.clone(),
            message,
        };
        check_key(key.as_bytes()).map_err(|error| {
            wrong(format!(
                "the key cannot be one, {error}: give a relative path of 1 to 4096 bytes"
            ))
        })?;
        let classes = self.classes.len();
        let is_labelled = label != NO_LABEL;
        if is_labelled && !usize::try_from(label).is_ok_and(|label| label < classes) {
            return Err(wrong(match classes {
                0 => format!(
                    "label {label}, but the dataset has no classes: give their names, or label -1"
                ),
                _ => format!(
                    "label {label} is not one of the {classes} classes: give 0 to {}, or -1 for a split without \
                     labels",
                    classes - 1
                ),
            }));
        }
        if known.is_some_and(|known| known.is_labelled != is_labelled) {
            let (this, others) = match is_labelled {
                true => ("a label", "none"),
                false => ("no label", "labels"),
            };
            let message = format!(
                "it has {this} and the samples before it have {others}: give them different splits"
            );
            return Err(wrong(message));
        }
        let mut used = self.used;
        match &image {
            Image::Encoded(_) => (used.is_decoder, used.is_resizer) = (true, true),
            Image::Pixels {
                width,
                height,
                channels,
                pixels,
            } => {
                check_pixels(*width, *height, *channels, pixels.len()).map_err(wrong)?;
                used.is_array = true;
                used.is_resizer |= (*width, *height) != (self.size, self.size);
            }
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
        if !self.keys.insert(hash) {
            let message = "a sample before it has the same key: give each a key of its own";
            return Err(wrong(message.to_owned()));
        }
        self.used = used;
        self.samples += 1;
        let known = self.splits.entry(split.to_owned()).or_insert(Known {
            samples: 0,
            is_labelled,
        });
        known.samples += 1;
        Ok((Item { key, label, image }, is_labelled))
    }

    /// Whether readers take a split of this name.
    fn check_split(&mut self, name: &str) -> Result<(), PrepError> {
        let split = Split {
            records: 0,
            labelled: false,
            shards: Vec::new(),
        };
        self.empty.splits = BTreeMap::from([(name.to_owned(), split)]);
        match Manifest::parse(self.empty.to_json().as_bytes()) {
            Ok(_) => Ok(()),
            Err(_) => Err(PrepError::Option {
                option: "split",
                found: format!("{name:?}"),
                expected:
                    "give a name of letters, digits, '_', '-' and '.', such as train, val or test"
                        .to_owned(),
            }),
        }
    }
}

fn check_pixels(width: u32, height: u32, channels: u8, bytes: usize) -> Result<(), String> {
    if !(1..=4).contains(&channels) {
        return Err(format!(
            "pixels of {channels} channels: give 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA)"
        ));
    }
    if width == 0 || height == 0 {
        return Err(format!("{width}x{height} pixels are no picture"));
    }
    let expected = u64::from(width) * u64::from(height) * u64::from(channels);
    if bytes as u64 != expected {
        return Err(format!(
            "{width}x{height} pixels of {channels} channels have {expected} bytes, not {bytes}"
        ));
    }
    Ok(())
}
