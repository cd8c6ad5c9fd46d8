//! Where the bytes of a file of features are.

use serde_json::json;
use shardmill_loader::Dataset;

use crate::analysis::feature_file::{Description, FEATURES, LABELS};

/// Everything of a file before its features.
pub(super) struct Layout {
    /// The header's length, as the file begins with.
    pub(super) header_len: u64,
    /// The header and the tensors before the features.
    pub(super) front: Vec<u8>,
    /// Number of rows.
    pub(super) rows: u64,
    /// Bytes of a row of features.
    pub(super) row_bytes: u64,
}

impl Layout {
    pub(super) fn new(dataset: &Dataset, description: &Description) -> Self {
        let rows = dataset.len();
        let mut keys = Vec::new();
        let mut columns: [Vec<i64>; 5] = Default::default();
        let [labels, samples, shards, records, key_offsets] = &mut columns;
        key_offsets.push(0);
        let mut sample = 0;
        for (number, shard) in description.shards.iter().enumerate() {
            for record in 0..shard.records {
                labels.push(dataset.label(sample));
                samples.push(sample as i64);
                shards.push(number as i64);
                records.push(record as i64);
                keys.extend_from_slice(dataset.key(sample).as_bytes());
                key_offsets.push(keys.len() as i64);
                sample += 1;
            }
        }
        // Whatever follows is aligned.
        keys.resize(keys.len().next_multiple_of(8), 0);
        let names = [LABELS, "sample", "shard", "record", "key_offsets"];
        let mut header = serde_json::Map::new();
        header.insert("__metadata__".to_owned(), json!(description.to_strings()));
        let mut end = 0;
        let mut tensor = |name: &str, dtype: &str, shape: &[u64], bytes: u64| {
            let offsets = [end, end + bytes];
            end += bytes;
            let info = json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
            header.insert(name.to_owned(), info);
        };
        for (name, column) in names.iter().zip(&columns) {
            let len = column.len() as u64;
            tensor(name, "I64", &[len], 8 * len);
        }
        tensor("keys", "U8", &[keys.len() as u64], keys.len() as u64);
        let len: u64 = description.shape.iter().map(|&side| side as u64).product();
        let row_bytes = 4 * len;
        tensor(FEATURES, "F32", &[rows, len], rows * row_bytes);
        let mut front = serde_json::to_vec(&header).expect("plain data becomes JSON");
        front.resize(front.len().next_multiple_of(8), b' ');
        let header_len = front.len() as u64;
        let values = columns.iter().flatten();
        front.extend(values.flat_map(|value| value.to_le_bytes()));
        front.extend(keys);
        Self {
            header_len,
            front,
            rows,
            row_bytes,
        }
    }

    /// Where the features begin in the file.
    pub(super) fn features_start(&self) -> u64 {
        size_of::<u64>() as u64 + self.front.len() as u64
    }

    /// Bytes of the whole file.
    pub(super) fn bytes(&self) -> u64 {
        self.features_start() + self.rows * self.row_bytes
    }
}
