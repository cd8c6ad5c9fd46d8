//! Files of features: the outputs of a layer for every image of a split.
//!
//! A file is an ordinary safetensors file. Its tensors, row by row in the order of the split:
//!
//! | tensor | type and shape | what it is |
//! |---|---|---|
//! | `labels` | I64 `[n]` | the class of each image |
//! | `sample` | I64 `[n]` | its number in the split |
//! | `shard`, `record` | I64 `[n]` | where it is: the number of the shard in the split, and of the record there |
//! | `key_offsets` | I64 `[n + 1]` | the bounds of each image's key, its source's name, in `keys` |
//! | `keys` | U8 `[bytes]` | the keys, one after the other, with zeros up to a multiple of eight bytes |
//! | `features` | F32 `[n, len]` | the outputs from the centre view |
//!
//! The strings of `__metadata__` say which network and which images: see [`Description`]. The features come
//! last, so that they are appended batch by batch and a file may be larger than the memory.

mod layout;
mod partial;
mod read;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shardmill_formats::Class;

pub use read::FeatureFile;
pub use write::{FeatureOptions, FeaturePlan, FeatureWriter};

/// The tensor of the features.
const FEATURES: &str = "features";
/// The tensor of the labels.
const LABELS: &str = "labels";

/// What is examined and by which network, as the metadata of a file says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The layer.
    pub layer: String,
    /// The axes of one row: height, width and channels, or the number of units.
    pub shape: Vec<usize>,
    /// The split.
    pub split: String,
    /// Finished epochs of the checkpoint.
    pub epoch: u64,
    /// Steps of the checkpoint.
    pub step: u64,
    /// CRC-32C of the network's parameters in their order, eight hexadecimal digits.
    pub weights: String,
    /// The dataset's classes; a label is an index into them.
    pub classes: Vec<Class>,
    /// The shards of the split in their order, which tell one dataset from another.
    pub shards: Vec<ShardId>,
}

/// A shard of the split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardId {
    /// Its file name in the dataset's folder.
    pub file: String,
    /// Its number of records.
    pub records: u64,
    /// BLAKE3 of the file, 64 hexadecimal digits.
    pub blake3: String,
}

impl Description {
    /// As strings for `__metadata__`.
    fn to_strings(&self) -> BTreeMap<String, String> {
        fn json(value: &impl Serialize) -> String {
            serde_json::to_string(value).expect("plain data becomes JSON")
        }
        [
            ("format", "shardmill-features".to_owned()),
            ("version", "1".to_owned()),
            ("layer", self.layer.clone()),
            ("shape", json(&self.shape)),
            ("view", "center".to_owned()),
            ("split", self.split.clone()),
            ("epoch", self.epoch.to_string()),
            ("step", self.step.to_string()),
            ("weights_crc32c", self.weights.clone()),
            ("classes", json(&self.classes)),
            ("shards", json(&self.shards)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// What metadata says; what another program's file does not say stays empty.
    fn from_strings(strings: &BTreeMap<String, String>) -> Result<Self, serde_json::Error> {
        fn json<T: for<'a> Deserialize<'a> + Default>(
            text: Option<&String>,
        ) -> Result<T, serde_json::Error> {
            text.map_or_else(|| Ok(T::default()), |text| serde_json::from_str(text))
        }
        let text = |key: &str| strings.get(key).cloned().unwrap_or_default();
        Ok(Self {
            layer: text("layer"),
            split: text("split"),
            weights: text("weights_crc32c"),
            shape: json(strings.get("shape"))?,
            epoch: json(strings.get("epoch"))?,
            step: json(strings.get("step"))?,
            classes: json(strings.get("classes"))?,
            shards: json(strings.get("shards"))?,
        })
    }
}

#[cfg(test)]
mod tests;
