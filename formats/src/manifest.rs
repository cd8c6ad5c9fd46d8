//! `manifest.json`: what a dataset consists of.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::codec::Codec;
use crate::metadata::check_version;
use crate::schema::{FORMAT, MANIFEST_LIMIT, SHARD_EXTENSION, VERSION};
use crate::shape::RecordShape;
use crate::statistics::Statistics;

/// A dataset's description. It holds no time, host, absolute path or thread count: the same input
/// gives the same bytes. Unknown keys are ignored, so that minor versions may add some.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `shardmill`.
    pub format: String,
    /// Version of the format, `major.minor`.
    pub version: String,
    /// Encoding of every record.
    pub codec: Codec,
    /// JPEG quality, with codec `jpeg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jpeg_quality: Option<u8>,
    /// Rows of a record.
    pub height: u32,
    /// Columns of a record.
    pub width: u32,
    /// How the originals became records.
    pub preprocessing: Preprocessing,
    /// The classes; a label is an index into them. Sorted by synset.
    pub classes: Vec<Class>,
    /// The splits by name.
    pub splits: BTreeMap<String, Split>,
    /// Colour statistics of the training split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<SplitStatistics>,
    /// What was read.
    pub source: Source,
    /// What could not be read.
    pub rejects: Rejects,
    /// Seed of the shuffle and the split.
    pub seed: u64,
    /// Version of the tool that wrote the dataset.
    pub prep_version: String,
}

/// How the originals became records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Which part of an image is kept, and at what size.
    pub geometry: String,
    /// Resize filter.
    pub filter: String,
    /// Decoder and its version.
    pub decoder: String,
    /// Resizer and its version.
    pub resizer: String,
    /// `apply` where EXIF orientation was followed; absent where it was ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exif: Option<String>,
    /// `pad` where truncated JPEGs were kept; absent where they were rejects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<String>,
}

/// A class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// WordNet id, or the class folder's name.
    pub synset: String,
    /// The class in words.
    pub name: String,
}

/// A split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Number of records over all shards.
    pub records: u64,
    /// Whether the records have labels; if not, every label is -1.
    pub labelled: bool,
    /// The shards in order.
    pub shards: Vec<ShardEntry>,
}

/// A shard of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardEntry {
    /// File name within the dataset's folder.
    pub file: String,
    /// Number of records.
    pub records: u64,
    /// Size of the file.
    pub bytes: u64,
    /// CRC-32C of the header and all index tensors, eight hexadecimal digits.
    pub index_crc32c: String,
    /// BLAKE3 of the file, 64 hexadecimal digits.
    pub blake3: String,
}

impl ShardEntry {
    /// The index checksum as a number.
    ///
    /// # Panics
    /// Never for a manifest that was parsed; parsing checks the digits.
    #[must_use]
    pub fn index_checksum(&self) -> u32 {
        u32::from_str_radix(&self.index_crc32c, 16)
            .expect("a parsed manifest holds eight digits here")
    }
}

/// Statistics and the split they were taken over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitStatistics {
    /// The split.
    pub split: String,
    /// Number of pixels.
    pub pixels: u64,
    /// The statistics.
    #[serde(flatten)]
    pub statistics: Statistics,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// How the source was laid out.
    pub layout: String,
    /// Number of images listed, rejects included.
    pub images: u64,
}

/// What could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejects {
    /// Number of images that became no record.
    pub count: u64,
    /// File in the dataset's folder that names each with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Why bytes are not a manifest that this crate reads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// More bytes than a manifest may have.
    #[error("it is longer than {MANIFEST_LIMIT} bytes")]
    TooLong,
    /// Not JSON, or not that of a manifest.
    #[error("it is not a Shardmill manifest")]
    Json(#[from] serde_json::Error),
    /// Another major version.
    #[error(transparent)]
    Version(#[from] crate::error::ShardError),
    /// An entry that makes no sense or contradicts another.
    #[error("{what} is {found}; expected {expected}")]
    Invalid {
        /// Which entry.
        what: String,
        /// Its value.
        found: String,
        /// What was wanted.
        expected: String,
    },
}

/// File name of a shard: `train-00000-of-00313.safetensors`.
#[must_use]
pub fn shard_file_name(split: &str, shard: usize, shards: usize) -> String {
    format!("{split}-{shard:05}-of-{shards:05}.{SHARD_EXTENSION}")
}

impl Manifest {
    /// Reads a manifest from a file and parses it. It reads no more than the longest manifest.
    ///
    /// # Errors
    /// A file that cannot be read, and all that [`parse`](Self::parse) refuses.
    pub fn read(from: impl Read) -> Result<Self, ManifestError> {
        let mut json = Vec::new();
        // With one byte more than allowed, the parser refuses it.
        from.take(MANIFEST_LIMIT as u64 + 1)
            .read_to_end(&mut json)
            .map_err(ManifestError::Unreadable)?;
        Self::parse(&json)
    }

    /// Parses and validates a manifest.
    ///
    /// # Errors
    /// Bytes that are not a manifest of this major version, or contradict themselves.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() > MANIFEST_LIMIT {
            return Err(ManifestError::TooLong);
        }
        // The version comes first: another one may have other keys.
        #[derive(Deserialize)]
        struct Identity {
            format: String,
            version: String,
        }
        let identity: Identity = serde_json::from_slice(json)?;
        if identity.format != FORMAT {
            return Err(invalid("format", &identity.format, FORMAT));
        }
        check_version(&identity.version)?;
        let manifest: Self = serde_json::from_slice(json)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The manifest as indented JSON, ended by a newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a manifest becomes JSON");
        json.push('\n');
        json
    }

    /// Size of the records.
    #[must_use]
    pub const fn shape(&self) -> RecordShape {
        RecordShape {
            height: self.height,
            width: self.width,
        }
    }

    /// The value of [`format`](Self::format) that is written.
    #[must_use]
    pub fn format_name() -> String {
        FORMAT.to_owned()
    }

    /// The value of [`version`](Self::version) that is written.
    #[must_use]
    pub fn format_version() -> String {
        VERSION.to_owned()
    }

    fn validate(&self) -> Result<(), ManifestError> {
        if RecordShape::new(self.height, self.width).is_none() {
            let found = format!("{}x{}", self.height, self.width);
            return Err(invalid("height and width", &found, "1 to 8192 pixels"));
        }
        if let Some(pair) = self
            .classes
            .windows(2)
            .find(|pair| pair[0].synset >= pair[1].synset)
        {
            let expected = format!("sorted, each once, but {:?} comes first", pair[0].synset);
            return Err(invalid("classes", &pair[1].synset, &expected));
        }
        for (name, split) in &self.splits {
            validate_split(name, split)?;
        }
        if let Some(statistics) = &self.statistics {
            if !self.splits.contains_key(&statistics.split) {
                return Err(invalid(
                    "statistics.split",
                    &statistics.split,
                    "one of the splits",
                ));
            }
            if !statistics.statistics.is_sound() {
                return Err(invalid(
                    "statistics",
                    "not finite or negative",
                    "finite numbers",
                ));
            }
        }
        if let Some(file) = self
            .rejects
            .file
            .as_ref()
            .filter(|file| !is_plain_name(file))
        {
            return Err(invalid("rejects.file", file, "a plain file name"));
        }
        Ok(())
    }
}

fn validate_split(name: &str, split: &Split) -> Result<(), ManifestError> {
    if !is_plain_name(name) {
        return Err(invalid("split", name, "letters, digits, '_', '-' and '.'"));
    }
    let mut records: u64 = 0;
    for (i, shard) in split.shards.iter().enumerate() {
        let of = |key: &str| format!("splits.{name}.shards[{i}].{key}");
        // Every name has the number of planned shards; a shard without a readable image leaves a gap.
        if !is_plain_name(&shard.file) || !shard.file.starts_with(&format!("{name}-")) {
            return Err(invalid(
                &of("file"),
                &shard.file,
                &format!("a plain file name that begins with {name:?}"),
            ));
        }
        if i > 0 && split.shards[i - 1].file >= shard.file {
            return Err(invalid(
                &of("file"),
                &shard.file,
                "file names in rising order",
            ));
        }
        if shard.records == 0 {
            return Err(invalid(&of("records"), "0", "at least one"));
        }
        if !is_hex(&shard.index_crc32c, 8) {
            return Err(invalid(
                &of("index_crc32c"),
                &shard.index_crc32c,
                "8 hexadecimal digits",
            ));
        }
        if !is_hex(&shard.blake3, 64) {
            return Err(invalid(
                &of("blake3"),
                &shard.blake3,
                "64 hexadecimal digits",
            ));
        }
        records = records.saturating_add(shard.records);
    }
    if records != split.records {
        let expected = format!("{records}, the sum over its shards");
        return Err(invalid(
            &format!("splits.{name}.records"),
            &split.records.to_string(),
            &expected,
        ));
    }
    Ok(())
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A name that stays inside its folder on every platform.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn invalid(what: &str, found: &str, expected: &str) -> ManifestError {
    ManifestError::Invalid {
        what: what.to_owned(),
        found: format!("{found:?}"),
        expected: expected.to_owned(),
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
