//! The table of classes in every tar and Parquet file of an export, so that an ingest of it gives the same
//! classes.

use serde::{Deserialize, Serialize};
use shardmill_formats::{Class, Manifest};

use super::split;

/// Key of the table in the metadata of a Parquet file.
pub(crate) const METADATA_KEY: &str = "shardmill";
/// The member of a tar that holds the table, without a dot in it, so that no reader takes it for a sample.
pub(crate) const MEMBER: &str = "__shardmill__";
/// The version that is written and read.
const VERSION: u64 = 1;

/// The classes of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassTable {
    version: u64,
    #[serde(default)]
    split: String,
    /// Whether the images of the split have labels. Readers see that for themselves.
    #[serde(skip_deserializing)]
    labelled: bool,
    /// Every class, sorted by synset, with an image or not; a label is an index into them.
    pub(crate) classes: Vec<Class>,
}

impl ClassTable {
    /// The table of a split, as JSON.
    pub(crate) fn json(manifest: &Manifest, split: &str) -> String {
        let table = Self {
            version: VERSION,
            split: split.to_owned(),
            labelled: manifest.splits[split].labelled,
            classes: manifest.classes.clone(),
        };
        serde_json::to_string(&table).expect("a table becomes JSON")
    }

    /// Reads a table; `None` if it is of another version or not one of Shardmill.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let table: Self = serde_json::from_slice(text).ok()?;
        let sorted = table.classes.is_sorted_by(|a, b| a.synset < b.synset);
        (table.version == VERSION && sorted).then_some(table)
    }

    /// The split of the file that it is in.
    pub(super) fn split(&self) -> Option<&'static str> {
        split::of_word(&self.split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_another_version_or_order_is_none() {
        let table = |version, first: &str| {
            let classes = serde_json::json!([
                {"synset": first, "name": "x"}, {"synset": "n2", "name": "y", "more": 1}
            ]);
            serde_json::json!({"version": version, "split": "val", "labelled": true, "classes": classes})
        };
        let parse = |json: serde_json::Value| ClassTable::parse(json.to_string().as_bytes());
        let found = parse(table(1, "n1")).unwrap();
        assert_eq!((found.classes.len(), found.split()), (2, Some("val")));
        assert_eq!(parse(table(2, "n1")), None);
        assert_eq!(parse(table(1, "n2")), None);
        assert_eq!(ClassTable::parse(b"{"), None);
    }
}
