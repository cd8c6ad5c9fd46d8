//! Settings and samples of a writer.

use shardmill_formats::{Class, Codec, EncodeOptions};

use crate::decode::DecodeOptions;
use crate::error::PrepError;
use crate::record::RecordOptions;
use crate::reject::OnError;

/// The picture of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// The bytes of an image file of any format that an ingest reads.
    Encoded(Vec<u8>),
    /// Pixels in rows from the top.
    Pixels {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes of a pixel: 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGBA. Transparent pixels are
        /// laid over white.
        channels: u8,
        /// `width * height * channels` bytes.
        pixels: Vec<u8>,
    },
}

/// A sample of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The picture.
    pub image: Image,
    /// Its class, an index into the classes; -1 without one, which then holds for all of its split.
    pub label: i64,
    /// Its name, unique in the dataset: a relative path of 1 to 4096 bytes, without `.` and `..`. `None` stands for
    /// the split and the number of the sample in it, such as `train/00000041`.
    pub key: Option<String>,
}

/// Settings of a [`DatasetWriter`](crate::DatasetWriter); [`WriteOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// The classes, sorted by synset, each once; [`class_list`] makes them of names. May be empty if no sample
    /// has a label.
    pub classes: Vec<Class>,
    /// Encoding of the records.
    pub codec: Codec,
    /// JPEG quality, 1 to 100, with codec `jpeg`.
    pub quality: u8,
    /// Side of the square records, in pixels.
    pub size: u32,
    /// How images are decoded and resized.
    pub decode: DecodeOptions,
    /// What happens when an image cannot become a record. A writer stops by default: that is more often a mistake
    /// of the program than a damaged file.
    pub on_error: OnError,
    /// Records of each shard; the last one of a split may have fewer.
    pub shard_records: usize,
    /// Threads that decode and encode; 0 means one for each core.
    pub threads: usize,
    /// Memory for decoding large images on all threads together; a quarter of the free memory if `None`.
    pub decode_memory: Option<u64>,
}

impl WriteOptions {
    /// Raw records of 256x256, 4096 a shard, on all cores, that stop at the first image that cannot be used.
    #[must_use]
    pub fn new(classes: Vec<Class>) -> Self {
        Self {
            classes,
            codec: Codec::Raw,
            quality: EncodeOptions::default().jpeg_quality,
            size: 256,
            decode: DecodeOptions::default(),
            on_error: OnError::Stop,
            shard_records: 4096,
            threads: 0,
            decode_memory: None,
        }
    }

    pub(super) const fn record(&self) -> RecordOptions {
        RecordOptions {
            codec: self.codec,
            quality: self.quality,
            size: self.size,
            decode: self.decode,
            shard_records: self.shard_records,
        }
    }
}

/// Classes of the given names, whose labels are their places in the list.
///
/// The format sorts classes by synset: names that are sorted are their own synsets, and others get their
/// number, with leading zeros, so that every label stays as it is.
///
/// # Errors
/// A name that is empty, or there twice.
pub fn class_list<S: AsRef<str>>(names: &[S]) -> Result<Vec<Class>, PrepError> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let wrong = |found: &str, expected: String| {
        Err(PrepError::Option {
            option: "classes",
            found: format!("{found:?}"),
            expected,
        })
    };
    let mut seen = std::collections::BTreeMap::new();
    for (label, name) in names.iter().enumerate() {
        if name.is_empty() {
            return wrong(name, format!("class {label} has no name: give it one"));
        }
        if let Some(before) = seen.insert(name, label) {
            let both = format!("it is the name of class {before} and of class {label}");
            return wrong(name, format!("{both}: give each class a name of its own"));
        }
    }
    let is_sorted = names.is_sorted();
    let digits = names.len().saturating_sub(1).to_string().len();
    let class = |(label, name): (usize, &&str)| Class {
        synset: match is_sorted {
            true => (*name).to_owned(),
            false => format!("{label:0digits$}"),
        },
        name: (*name).to_owned(),
    };
    Ok(names.iter().enumerate().map(class).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synsets(names: &[&str]) -> Vec<String> {
        let classes = class_list(names).unwrap().into_iter();
        classes.map(|class| class.synset).collect()
    }

    #[test]
    fn labels_stay_as_they_are_and_synsets_are_sorted() {
        assert_eq!(synsets(&["cat", "dog"]), ["cat", "dog"]);
        assert_eq!(synsets(&["dog", "cat"]), ["0", "1"]);
        let numbers: Vec<String> = (0..11).map(|i| i.to_string()).collect();
        let classes = class_list(&numbers).unwrap();
        assert!(classes.is_sorted_by(|a, b| a.synset < b.synset));
        assert_eq!((&*classes[10].synset, &*classes[10].name), ("10", "10"));
        assert_eq!((&*classes[9].synset, &*classes[9].name), ("09", "9"));
        assert!(synsets(&[]).is_empty());
    }

    #[test]
    fn a_name_twice_or_none_is_refused_in_words() {
        let text = class_list(&["b", "a", "b"]).unwrap_err().to_string();
        assert!(
            text.contains("\"b\"") && text.contains("class 0 and of class 2"),
            "{text}"
        );
        let text = class_list(&["a", ""]).unwrap_err().to_string();
        assert!(text.contains("class 1 has no name"), "{text}");
    }
}
