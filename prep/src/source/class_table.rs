//! The table of classes that datasets of ours carry where they are exported to packed files.

use serde::Deserialize;
use shardmill_formats::Class;

use super::split;

/// What the table is called in a Parquet file's metadata.
pub(super) const METADATA_KEY: &str = "shardmill";
/// The member of a tar that holds it.
pub(super) const MEMBER: &str = "__shardmill__";
/// The version that is read.
const VERSION: u64 = 1;

/// The table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ClassTable {
    version: u64,
    #[serde(default)]
    split: String,
    /// By synset; labels are indices into them.
    pub(super) classes: Vec<Class>,
}

impl ClassTable {
    /// Reads a table; `None` if it is of another version or none of ours.
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
