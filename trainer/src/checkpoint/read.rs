//! Reads a checkpoint without trusting its bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::checkpoint::{
    Checkpoint, CheckpointError, Checksum, META_CHECKSUM, META_VERSION, RunState, VERSION,
};

/// Longest header that is read: a hundred times that of a thousand classes with long names.
const HEADER_LIMIT: u64 = 100 << 20;

impl Checkpoint {
    /// Reads what the checkpoint at `path` says about its run, without its tensors and without
    /// the checksum over them.
    ///
    /// # Errors
    /// A file that is missing or whose header is not that of a checkpoint.
    pub fn peek(path: &Path) -> Result<RunState, CheckpointError> {
        #[derive(Deserialize)]
        struct Header {
            #[serde(rename = "__metadata__")]
            strings: BTreeMap<String, String>,
        }
        let malformed = |reason| malformed(path, reason);
        let mut file = File::open(path).map_err(|source| unreadable(path, source))?;
        let mut length = [0; 8];
        file.read_exact(&mut length)
            .map_err(|error| malformed(error.to_string()))?;
        let length = u64::from_le_bytes(length);
        if length > HEADER_LIMIT {
            return Err(malformed(format!("its header has {length} bytes")));
        }
        let mut header = Vec::new();
        file.take(length)
            .read_to_end(&mut header)
            .map_err(|source| unreadable(path, source))?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|error| malformed(error.to_string()))?;
        check_version(path, &header.strings)?;
        RunState::from_strings(&header.strings).map_err(malformed)
    }

    /// Reads the checkpoint at `path`.
    ///
    /// # Errors
    /// A file that is missing, cut off, changed, of another version, or no checkpoint at all.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        Self::parse(path, &Self::bytes(path)?)
    }

    /// The bytes of the file at `path`, to be [parsed](Self::parse).
    ///
    /// # Errors
    /// A file that is missing or cannot be read.
    pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, CheckpointError> {
        fs::read(path).map_err(|source| unreadable(path, source))
    }

    /// The checkpoint that the file at `path` holds, whose bytes are given.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let Whole { strings, tensors } = parse_whole(path, bytes)?;
        let state = RunState::from_strings(&strings).map_err(|reason| malformed(path, reason))?;
        Ok(Self { state, tensors })
    }
}

/// A file's metadata without its checksum, which was compared, and its tensors.
pub(super) struct Whole {
    pub(super) strings: BTreeMap<String, String>,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

/// Reads what [`write_whole`](super::write::write_whole) wrote.
///
/// # Errors
/// A file that is missing, cut off, changed or of another version, or not of this kind.
pub(super) fn read_whole(path: &Path) -> Result<Whole, CheckpointError> {
    let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
    parse_whole(path, &bytes)
}

fn parse_whole(path: &Path, bytes: &[u8]) -> Result<Whole, CheckpointError> {
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| malformed(path, error.to_string()))?;
    let file =
        SafeTensors::deserialize(bytes).map_err(|error| malformed(path, error.to_string()))?;
    let mut strings: BTreeMap<String, String> = header
        .metadata()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect();
    let expected = strings
        .remove(META_CHECKSUM)
        .ok_or_else(|| malformed(path, format!("it has no {META_CHECKSUM:?}")))?;
    check_version(path, &strings)?;
    let views: BTreeMap<String, _> = file.tensors().into_iter().collect();
    let mut checksum = Checksum::default();
    for (key, value) in &strings {
        checksum.add(key.as_bytes());
        checksum.add(value.as_bytes());
    }
    for (name, view) in &views {
        checksum.add(name.as_bytes());
        checksum.add(view.data());
    }
    if checksum.hex() != expected {
        return Err(CheckpointError::Checksum {
            path: path.into(),
            found: checksum.hex(),
            expected,
        });
    }
    let mut tensors = BTreeMap::new();
    for (name, view) in views {
        if view.dtype() != Dtype::F32 {
            return Err(malformed(path, format!("{name} is not F32")));
        }
        let values: Vec<f32> = view
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|&value| f32::from_le_bytes(value))
            .collect();
        let tensor = Tensor::from_vec(values, view.shape(), &Device::Cpu).map_err(|source| {
            CheckpointError::Tensor {
                name: name.clone(),
                source,
            }
        })?;
        tensors.insert(name, tensor);
    }
    Ok(Whole { strings, tensors })
}

fn malformed(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Malformed {
        path: path.into(),
        reason,
    }
}

fn unreadable(path: &Path, source: io::Error) -> CheckpointError {
    match source.kind() {
        io::ErrorKind::NotFound => CheckpointError::Missing { path: path.into() },
        _ => CheckpointError::Io {
            action: "read",
            path: path.into(),
            source,
        },
    }
}

fn check_version(path: &Path, strings: &BTreeMap<String, String>) -> Result<(), CheckpointError> {
    match strings
        .get(META_VERSION)
        .filter(|version| *version != VERSION)
    {
        Some(found) => Err(CheckpointError::Version {
            path: path.into(),
            found: found.clone(),
            expected: VERSION,
        }),
        None => Ok(()),
    }
}
