//! Reads files of features in parts, without trusting their bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use shardmill_formats::schema::UNLABELLED;

use crate::analysis::AnalysisError;
use crate::analysis::feature_file::{Description, FEATURES, LABELS};
use crate::analysis::features::Rows;

/// Longest header that is read: far above that of a thousand classes and thousands of shards.
const HEADER_LIMIT: u64 = 100 << 20;

/// A file of features, open: description and labels in memory, features on the disk.
#[derive(Debug)]
pub struct FeatureFile {
    path: PathBuf,
    file: File,
    description: Description,
    labels: Vec<i64>,
    len: usize,
    /// Where the features begin.
    start: u64,
}

/// The JSON at the beginning.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    strings: BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Tensor {
    /// The axes, if the tensor has this type and so many of them, `size` bytes a value, and lies within
    /// `end` bytes.
    fn axes<const N: usize>(&self, dtype: &str, size: u64, end: u64) -> Option<[u64; N]> {
        let axes: [u64; N] = self.shape.clone().try_into().ok()?;
        let values = axes
            .iter()
            .try_fold(1_u64, |all, &axis| all.checked_mul(axis))?;
        let [from, to] = self.data_offsets;
        let fits = from.checked_add(values.checked_mul(size)?)? == to && to <= end;
        (fits && self.dtype == dtype).then_some(axes)
    }
}

impl FeatureFile {
    /// Opens a file that `train features` wrote, or another safetensors file with F32 `features` `[n, len]` and
    /// I64 `labels` `[n]`.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub fn open(path: &Path) -> Result<Self, AnalysisError> {
        let io = AnalysisError::io("read", path);
        let malformed = |reason: String| AnalysisError::Malformed {
            path: path.into(),
            reason,
        };
        let mut file = File::open(path).map_err(&io)?;
        let length = file.metadata().map_err(&io)?.len();
        let mut first = [0; 8];
        file.read_exact(&mut first)
            .map_err(|_| malformed("it is too short".to_owned()))?;
        let header_len = u64::from_le_bytes(first);
        let start = header_len.saturating_add(8);
        if header_len > HEADER_LIMIT || start > length {
            return Err(malformed(format!("it has no header of {header_len} bytes")));
        }
        let mut header = vec![0; header_len as usize];
        file.read_exact(&mut header).map_err(&io)?;
        let header: Header = serde_json::from_slice(&header)
            .map_err(|error| malformed(format!("its header is wrong: {error}")))?;
        let description = Description::from_strings(&header.strings)
            .map_err(|error| malformed(format!("its metadata is wrong: {error}")))?;
        let end = length - start;
        let tensor = |name: &str| {
            let missing = || malformed(format!("it has no tensor {name:?}"));
            header.tensors.get(name).ok_or_else(missing)
        };
        let (features, labels) = (tensor(FEATURES)?, tensor(LABELS)?);
        let wrong = |name: &str, what: &str| malformed(format!("{name:?} is not {what}"));
        let [rows, len] = features
            .axes("F32", 4, end)
            .ok_or_else(|| wrong(FEATURES, "F32 [n, len] within the file"))?;
        let counted = labels.axes("I64", 8, end);
        if counted != Some([rows]) {
            return Err(wrong(
                LABELS,
                "I64 [n] within the file, with the n of the features",
            ));
        }
        let mut bytes = vec![0; 8 * rows as usize];
        file.seek(SeekFrom::Start(start + labels.data_offsets[0]))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(&io)?;
        let labels = bytes.as_chunks().0.iter().map(|&v| i64::from_le_bytes(v));
        let labels: Vec<i64> = labels.collect();
        check_labels(&labels, description.classes.len()).map_err(&malformed)?;
        Ok(Self {
            path: path.into(),
            labels,
            len: len as usize,
            start: start + features.data_offsets[0],
            file,
            description,
        })
    }

    /// Which network and which images.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The label of each row.
    #[must_use]
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }
}

/// Checks that each label is one of so many classes, or says that there is none; another program's file may name no
/// classes.
fn check_labels(labels: &[i64], classes: usize) -> Result<(), String> {
    let most = match classes {
        0 => i64::MAX,
        _ => classes as i64 - 1,
    };
    let wrong = labels
        .iter()
        .position(|label| !(UNLABELLED..=most).contains(label));
    match wrong {
        Some(row) => Err(format!(
            "the label of row {row} is {}, and the classes are 0 to {most}",
            labels[row]
        )),
        None => Ok(()),
    }
}

impl Rows for FeatureFile {
    fn rows(&self) -> usize {
        self.labels.len()
    }

    fn row_len(&self) -> usize {
        self.len
    }

    fn read(&self, rows: Range<usize>) -> Result<Cow<'_, [f32]>, AnalysisError> {
        let row = 4 * self.len;
        let mut bytes = vec![0; rows.len() * row];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.start + (rows.start * row) as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(AnalysisError::io("read", &self.path))?;
        let values = bytes.as_chunks().0.iter().map(|&v| f32::from_le_bytes(v));
        Ok(Cow::Owned(values.collect()))
    }
}
