//! The JSON header of a safetensors file: which tensors, of what type, where.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::ShardError;
use crate::schema::{DATA_ALIGNMENT, HEADER_LIMIT};

/// A tensor as the header describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TensorInfo {
    pub(crate) dtype: String,
    pub(crate) shape: Vec<u64>,
    /// Half-open, relative to the beginning of the data.
    pub(crate) data_offsets: (u64, u64),
}

/// A whole header, checked against the rules of every safetensors file.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tensors: BTreeMap<String, TensorInfo>,
    /// Where data begins in the file.
    pub(crate) data_start: usize,
}

impl Header {
    /// Where the header ends in a file of `file_len` bytes that begins with `front`, whose first eight
    /// bytes are read.
    pub(crate) fn end(front: &[u8], file_len: u64) -> Result<usize, ShardError> {
        let truncated = |what, expected| ShardError::Truncated {
            what,
            expected,
            found: file_len,
        };
        let length: [u8; 8] = front
            .get(..8)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| truncated("the header's length", 8))?;
        let length = u64::from_le_bytes(length);
        if length > HEADER_LIMIT as u64 {
            return Err(ShardError::HeaderTooLong {
                found: length,
                limit: HEADER_LIMIT as u64,
            });
        }
        if 8 + length > file_len {
            return Err(truncated("the header", 8 + length));
        }
        Ok(8 + length as usize)
    }

    /// Reads the header out of `front`, the first bytes of a file of `file_len`, and checks that the
    /// tensors tile the rest of the file.
    pub(crate) fn parse(front: &[u8], file_len: u64) -> Result<Self, ShardError> {
        let data_start = Self::end(front, file_len)?;
        let json = front.get(8..data_start).ok_or(ShardError::Truncated {
            what: "the header",
            expected: data_start as u64,
            found: front.len() as u64,
        })?;
        if !data_start.is_multiple_of(DATA_ALIGNMENT) {
            return Err(ShardError::DataMisaligned {
                found: data_start as u64,
                alignment: DATA_ALIGNMENT as u64,
            });
        }
        if json.first() != Some(&b'{') {
            return Err(ShardError::Header("it does not begin with '{'".to_owned()));
        }
        let entries: Entries =
            serde_json::from_slice(json).map_err(|error| ShardError::Header(error.to_string()))?;
        let header = Self {
            metadata: entries.metadata,
            tensors: entries.tensors,
            data_start,
        };
        header.check_tiling(file_len - data_start as u64)?;
        Ok(header)
    }

    /// Every byte of the data belongs to exactly one tensor, of exactly its shape's size.
    fn check_tiling(&self, data_len: u64) -> Result<(), ShardError> {
        let mut by_start: Vec<_> = self.tensors.iter().collect();
        by_start.sort_by_key(|(_, info)| info.data_offsets);
        let mut end = 0;
        for (name, info) in by_start {
            let wrong = |what, found: String, expected: String| ShardError::Tensor {
                name: name.clone(),
                what,
                found,
                expected,
            };
            let (start, stop) = info.data_offsets;
            if start != end {
                return Err(wrong(
                    "its first byte",
                    start.to_string(),
                    format!("{end} (no gap, no overlap)"),
                ));
            }
            let size = info.byte_size().ok_or_else(|| {
                wrong(
                    "its size",
                    format!("{} {:?}", info.dtype, info.shape),
                    "U8, U32 or I64 within 64 bits".to_owned(),
                )
            })?;
            if stop.checked_sub(start) != Some(size) {
                return Err(wrong(
                    "its byte range",
                    format!("{start}..{stop}"),
                    format!("{size} bytes"),
                ));
            }
            end = stop;
        }
        if end > data_len {
            return Err(ShardError::Truncated {
                what: "the tensors",
                expected: (self.data_start as u64).saturating_add(end),
                found: self.data_start as u64 + data_len,
            });
        }
        if end < data_len {
            return Err(ShardError::Header(format!(
                "{} bytes at the end belong to no tensor",
                data_len - end
            )));
        }
        Ok(())
    }

    /// The tensor's bytes within the file, after checking its type and shape.
    pub(crate) fn tensor(
        &self,
        name: &'static str,
        dtype: &str,
        shape: &[u64],
        alignment: usize,
    ) -> Result<Range<usize>, ShardError> {
        let info = self
            .tensors
            .get(name)
            .ok_or(ShardError::MissingTensor { name })?;
        let wrong = |what, found: String, expected: String| {
            Err(ShardError::Tensor {
                name: name.to_owned(),
                what,
                found,
                expected,
            })
        };
        if info.dtype != dtype {
            return wrong("dtype", info.dtype.clone(), dtype.to_owned());
        }
        if info.shape != shape {
            return wrong("shape", format!("{:?}", info.shape), format!("{shape:?}"));
        }
        let range = self.range(info);
        if !range.start.is_multiple_of(alignment) {
            return wrong(
                "its first byte",
                range.start.to_string(),
                format!("a multiple of {alignment}"),
            );
        }
        Ok(range)
    }

    /// Length of a one-dimensional tensor.
    pub(crate) fn length(&self, name: &'static str) -> Result<u64, ShardError> {
        let info = self
            .tensors
            .get(name)
            .ok_or(ShardError::MissingTensor { name })?;
        match info.shape[..] {
            [length] => Ok(length),
            _ => Err(ShardError::Tensor {
                name: name.to_owned(),
                what: "shape",
                found: format!("{:?}", info.shape),
                expected: "one dimension".to_owned(),
            }),
        }
    }

    /// Only for tensors that `check_tiling` found inside the file, so nothing can overflow.
    fn range(&self, info: &TensorInfo) -> Range<usize> {
        let (start, stop) = info.data_offsets;
        self.data_start + start as usize..self.data_start + stop as usize
    }
}

impl TensorInfo {
    fn byte_size(&self) -> Option<u64> {
        let width = match self.dtype.as_str() {
            "U8" => 1,
            "U32" => 4,
            "I64" => 8,
            _ => return None,
        };
        self.shape
            .iter()
            .try_fold(width, |size: u64, side| size.checked_mul(*side))
    }
}

/// The header's object, in which a name may stand only once.
#[derive(Default)]
struct Entries {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, TensorInfo>,
}

const METADATA: &str = "__metadata__";

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Entries::default();
                let mut has_metadata = false;
                while let Some(name) = map.next_key::<String>()? {
                    let repeated = if name == METADATA {
                        entries.metadata = map.next_value()?;
                        std::mem::replace(&mut has_metadata, true)
                    } else {
                        entries
                            .tensors
                            .insert(name.clone(), map.next_value()?)
                            .is_some()
                    };
                    if repeated {
                        return Err(A::Error::custom(format!("{name:?} stands twice")));
                    }
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}
