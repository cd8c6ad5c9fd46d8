//! The strings that a shard carries about itself.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::codec::Codec;
use crate::error::ShardError;
use crate::schema::{
    FORMAT, MAJOR, META_CLASSES, META_CODEC, META_FINGERPRINT, META_FORMAT, META_HEIGHT,
    META_SHARD, META_SHARDS, META_SPLIT, META_SUMS, META_VERSION, META_WIDTH, VERSION,
};
use crate::shape::RecordShape;
use crate::sums::ChannelSums;

/// What a shard says about itself in its `__metadata__`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMetadata {
    /// Encoding of the records.
    pub codec: Codec,
    /// Size of the records.
    pub shape: RecordShape,
    /// Name of the split.
    pub split: String,
    /// 0-based number of this shard in its split.
    pub shard: u64,
    /// Number of shards planned for the split.
    pub shards: u64,
    /// Number of classes of the dataset.
    pub classes: u64,
    /// Fingerprint of the plan that the shard was made from; two shards of one dataset share it.
    pub fingerprint: String,
    /// Sums over the decoded pixels of this shard, which the writer sets at the end.
    pub sums: ChannelSums,
}

impl ShardMetadata {
    pub(crate) fn to_strings(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            (META_FORMAT, FORMAT.to_owned()),
            (META_VERSION, VERSION.to_owned()),
            (META_CODEC, self.codec.to_string()),
            (META_HEIGHT, self.shape.height.to_string()),
            (META_WIDTH, self.shape.width.to_string()),
            (META_SPLIT, self.split.clone()),
            (META_SHARD, self.shard.to_string()),
            (META_SHARDS, self.shards.to_string()),
            (META_CLASSES, self.classes.to_string()),
            (META_FINGERPRINT, self.fingerprint.clone()),
            (META_SUMS, self.sums.to_string()),
        ])
    }

    pub(crate) fn from_strings(strings: &BTreeMap<String, String>) -> Result<Self, ShardError> {
        let strings = Strings(strings);
        let format = strings.get(META_FORMAT)?;
        if format != FORMAT {
            return Err(wrong(META_FORMAT, format, FORMAT));
        }
        check_version(strings.get(META_VERSION)?)?;
        let side_of = |key| strings.parse::<u32>(key, "a number of pixels");
        let (height, width) = (side_of(META_HEIGHT)?, side_of(META_WIDTH)?);
        let shape = RecordShape::new(height, width).ok_or_else(|| {
            wrong(
                META_HEIGHT,
                &format!("{height}x{width}"),
                "1 to 8192 pixels a side",
            )
        })?;
        let metadata = Self {
            codec: strings.parse(META_CODEC, "raw, zstd or jpeg")?,
            shape,
            split: strings.get(META_SPLIT)?.to_owned(),
            shard: strings.parse(META_SHARD, "a number")?,
            shards: strings.parse(META_SHARDS, "a number")?,
            classes: strings.parse(META_CLASSES, "a number")?,
            fingerprint: strings.get(META_FINGERPRINT)?.to_owned(),
            sums: strings.parse(META_SUMS, "ten integers separated by single spaces")?,
        };
        if metadata.shard >= metadata.shards {
            return Err(wrong(
                META_SHARD,
                &metadata.shard.to_string(),
                &format!("below {}", metadata.shards),
            ));
        }
        Ok(metadata)
    }
}

/// Checks that a `major.minor` version is one that this crate reads.
pub(crate) fn check_version(version: &str) -> Result<(), ShardError> {
    let readable = version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)))
        .is_some_and(|(major, _)| major == MAJOR);
    if readable {
        Ok(())
    } else {
        Err(ShardError::Version {
            found: version.to_owned(),
            major: MAJOR,
        })
    }
}

struct Strings<'a>(&'a BTreeMap<String, String>);

impl<'a> Strings<'a> {
    fn get(&self, key: &'static str) -> Result<&'a str, ShardError> {
        self.0
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| wrong(key, "missing", "a value"))
    }

    fn parse<T: FromStr>(&self, key: &'static str, expected: &str) -> Result<T, ShardError> {
        let value = self.get(key)?;
        value.parse().map_err(|_| wrong(key, value, expected))
    }
}

fn wrong(key: &'static str, found: &str, expected: &str) -> ShardError {
    let found = if found == "missing" {
        found.to_owned()
    } else {
        format!("{found:?}")
    };
    ShardError::Metadata {
        key,
        found,
        expected: expected.to_owned(),
    }
}
