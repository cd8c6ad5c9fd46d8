//! Where everything is in a shard. It is parsed once; after that, access cannot fail.

use std::ops::Range;

use crate::checksum::{crc32c, crc32c_of_parts};
use crate::codec::Codec;
use crate::error::ShardError;
use crate::header::Header;
use crate::key::check_key;
use crate::metadata::ShardMetadata;
use crate::schema::{
    CHECKSUMS, DATA_ALIGNMENT, IMAGES, KEY_OFFSETS, KEYS, LABELS, OFFSETS, RECORDS,
    TENSOR_ALIGNMENT, UNLABELLED,
};
use crate::shape::RecordShape;

/// A validated shard. It owns no bytes: every accessor takes the bytes of the file that it was parsed
/// from, so these can be a memory map, a buffer, or anything else.
///
/// Accessors panic on a record that is not below [`len`](Self::len).
#[derive(Clone, Debug)]
pub struct ShardIndex {
    metadata: ShardMetadata,
    len: usize,
    file_len: usize,
    data: Range<usize>,
    /// Start of the record bounds; `None` for `raw`, whose records have one size.
    offsets: Option<usize>,
    labels: usize,
    checksums: usize,
    key_offsets: usize,
    keys: usize,
}

impl ShardIndex {
    /// Parses and validates a whole shard. It checks everything that access relies on, and does not
    /// read the bytes of the records (see [`verify_record`](Self::verify_record)).
    ///
    /// # Errors
    /// Any way in which `file` is not a shard of this format's major version.
    pub fn parse(file: &[u8]) -> Result<Self, ShardError> {
        let header = Header::parse(file, file.len() as u64)?;
        let metadata = ShardMetadata::from_strings(&header.metadata)?;
        let records = header.length(LABELS)?;
        // The labels lie inside the file, so their number fits in memory, and one more does too.
        let len = records as usize;
        let (data, offsets) = record_data(&header, &metadata, records)?;
        let labels = header.tensor(LABELS, "I64", &[records], TENSOR_ALIGNMENT)?;
        let checksums = header.tensor(CHECKSUMS, "U32", &[records], TENSOR_ALIGNMENT)?;
        let key_offsets = header.tensor(KEY_OFFSETS, "I64", &[records + 1], TENSOR_ALIGNMENT)?;
        let keys = header.tensor(KEYS, "U8", &[header.length(KEYS)?], 1)?;
        let index = Self {
            metadata,
            len,
            file_len: file.len(),
            data,
            offsets,
            labels: labels.start,
            checksums: checksums.start,
            key_offsets: key_offsets.start,
            keys: keys.start,
        };
        if let Some(start) = offsets {
            index.check_bounds(file, OFFSETS, start, index.data.len())?;
        }
        index.check_bounds(file, KEY_OFFSETS, index.key_offsets, keys.len())?;
        index.check_labels(file)?;
        index.check_keys(file)?;
        Ok(index)
    }

    /// Length of the header, including the field of its length, of a shard of `file_len` bytes that
    /// begins with `front`, which has at least eight bytes.
    ///
    /// # Errors
    /// A header that is too long or does not fit into the file.
    pub fn header_len(front: &[u8], file_len: u64) -> Result<usize, ShardError> {
        Header::end(front, file_len)
    }

    /// Where the records are in a shard of `file_len` bytes that begins with `header`, whose length is
    /// that of [`header_len`](Self::header_len). A reader that does not need the records can skip them:
    /// [`parse`](Self::parse) and [`verify_index`](Self::verify_index) read only what comes before and
    /// after them.
    ///
    /// # Errors
    /// A header that `parse` would refuse.
    pub fn record_data(header: &[u8], file_len: u64) -> Result<Range<usize>, ShardError> {
        let header = Header::parse(header, file_len)?;
        let metadata = ShardMetadata::from_strings(&header.metadata)?;
        let records = header.length(LABELS)?;
        Ok(record_data(&header, &metadata, records)?.0)
    }

    /// Where the records are in the file, one after the other.
    #[must_use]
    pub fn data_range(&self) -> Range<usize> {
        self.data.clone()
    }

    /// Number of records.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the shard holds no record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the shard says about itself.
    #[must_use]
    pub const fn metadata(&self) -> &ShardMetadata {
        &self.metadata
    }

    /// Encoding of the records.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.metadata.codec
    }

    /// Size of the records.
    #[must_use]
    pub const fn shape(&self) -> RecordShape {
        self.metadata.shape
    }

    /// Where the stored bytes of record `i` are in the file.
    #[must_use]
    pub fn record_range(&self, file: &[u8], i: usize) -> Range<usize> {
        self.check(file, i);
        let Some(offsets) = self.offsets else {
            let bytes = self.metadata.shape.bytes();
            return self.data.start + i * bytes..self.data.start + (i + 1) * bytes;
        };
        self.data.start + i64_at(file, offsets, i) as usize
            ..self.data.start + i64_at(file, offsets, i + 1) as usize
    }

    /// The stored bytes of record `i`.
    #[must_use]
    pub fn record<'a>(&self, file: &'a [u8], i: usize) -> &'a [u8] {
        &file[self.record_range(file, i)]
    }

    /// The label of record `i`: a class, or -1 in a split without labels.
    #[must_use]
    pub fn label(&self, file: &[u8], i: usize) -> i64 {
        self.check(file, i);
        i64_at(file, self.labels, i)
    }

    /// The key of record `i`: the name of its source.
    #[must_use]
    pub fn key<'a>(&self, file: &'a [u8], i: usize) -> &'a str {
        self.check(file, i);
        std::str::from_utf8(self.key_bytes(file, i))
            .expect("keys are checked when a shard is parsed")
    }

    /// The stored CRC-32C of record `i`.
    #[must_use]
    pub fn checksum(&self, file: &[u8], i: usize) -> u32 {
        self.check(file, i);
        let at = self.checksums + 4 * i;
        u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"))
    }

    /// Compares the stored bytes of record `i` with their checksum.
    ///
    /// # Errors
    /// [`ShardError::Checksum`] if they differ.
    pub fn verify_record(&self, file: &[u8], i: usize) -> Result<(), ShardError> {
        let (expected, found) = (self.checksum(file, i), crc32c(self.record(file, i)));
        if expected == found {
            return Ok(());
        }
        Err(ShardError::Checksum {
            record: i,
            key: self.key(file, i).to_owned(),
            expected,
            found,
        })
    }

    /// CRC-32C of everything except the record data: the header and what follows the records.
    #[must_use]
    pub fn index_checksum(&self, file: &[u8]) -> u32 {
        crc32c_of_parts(&[&file[..self.data.start], &file[self.data.end..]])
    }

    /// Compares [`index_checksum`](Self::index_checksum) with the manifest's.
    ///
    /// # Errors
    /// [`ShardError::IndexChecksum`] if they differ.
    pub fn verify_index(&self, file: &[u8], expected: u32) -> Result<(), ShardError> {
        let found = self.index_checksum(file);
        if expected == found {
            Ok(())
        } else {
            Err(ShardError::IndexChecksum { expected, found })
        }
    }

    fn check(&self, file: &[u8], i: usize) {
        assert_eq!(
            file.len(),
            self.file_len,
            "these are not the bytes that the index was parsed from"
        );
        assert!(i < self.len, "record {i} of {}", self.len);
    }

    fn key_bytes<'a>(&self, file: &'a [u8], i: usize) -> &'a [u8] {
        let bound = |i| self.keys + i64_at(file, self.key_offsets, i) as usize;
        &file[bound(i)..bound(i + 1)]
    }

    /// Bounds begin at 0, rise strictly and end at `limit`.
    fn check_bounds(
        &self,
        file: &[u8],
        name: &'static str,
        at: usize,
        limit: usize,
    ) -> Result<(), ShardError> {
        let wrong = |record, start, end| ShardError::Offsets {
            name,
            record,
            start,
            end,
            limit: limit as u64,
        };
        let mut start = i64_at(file, at, 0);
        if start != 0 {
            return Err(wrong(0, start, start));
        }
        for record in 0..self.len {
            let end = i64_at(file, at, record + 1);
            if end <= start || end > limit as i64 {
                return Err(wrong(record, start, end));
            }
            start = end;
        }
        if start != limit as i64 {
            return Err(wrong(self.len.saturating_sub(1), start, start));
        }
        Ok(())
    }

    fn check_labels(&self, file: &[u8]) -> Result<(), ShardError> {
        let classes = self.metadata.classes;
        let labelled = self.len > 0 && i64_at(file, self.labels, 0) != UNLABELLED;
        for record in 0..self.len {
            let label = i64_at(file, self.labels, record);
            let is_class = u64::try_from(label).is_ok_and(|label| label < classes);
            if if labelled {
                !is_class
            } else {
                label != UNLABELLED
            } {
                return Err(ShardError::Label {
                    record,
                    label,
                    classes,
                });
            }
        }
        Ok(())
    }

    fn check_keys(&self, file: &[u8]) -> Result<(), ShardError> {
        for record in 0..self.len {
            check_key(self.key_bytes(file, record))
                .map_err(|source| ShardError::Key { record, source })?;
        }
        Ok(())
    }
}

/// Where the record data is, and where its bounds begin.
fn record_data(
    header: &Header,
    metadata: &ShardMetadata,
    records: u64,
) -> Result<(Range<usize>, Option<usize>), ShardError> {
    let (data, offsets) = match metadata.codec {
        Codec::Raw => {
            let RecordShape { height, width } = metadata.shape;
            let shape = [records, height.into(), width.into(), 3];
            (header.tensor(IMAGES, "U8", &shape, DATA_ALIGNMENT)?, None)
        }
        Codec::Zstd | Codec::Jpeg => {
            let bytes = header.length(RECORDS)?;
            let data = header.tensor(RECORDS, "U8", &[bytes], DATA_ALIGNMENT)?;
            let offsets = header.tensor(OFFSETS, "I64", &[records + 1], TENSOR_ALIGNMENT)?;
            (data, Some(offsets.start))
        }
    };
    if data.start != header.data_start {
        return Err(ShardError::Tensor {
            name: if offsets.is_some() { RECORDS } else { IMAGES }.to_owned(),
            what: "its first byte",
            found: data.start.to_string(),
            expected: format!("{}, the beginning of the data", header.data_start),
        });
    }
    Ok((data, offsets))
}

/// The `i`-th little-endian I64 of the tensor that begins at byte `at`.
fn i64_at(file: &[u8], at: usize, i: usize) -> i64 {
    let at = at + 8 * i;
    i64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{ChannelSums, ShardWriter};

    #[test]
    fn records_may_be_left_out() {
        for codec in Codec::ALL {
            let metadata = ShardMetadata {
                codec,
                shape: RecordShape {
                    height: 2,
                    width: 2,
                },
                split: "train".to_owned(),
                shard: 0,
                shards: 1,
                classes: 3,
                fingerprint: "test".to_owned(),
                sums: ChannelSums::default(),
            };
            let mut writer = ShardWriter::new(Cursor::new(Vec::new()), metadata).unwrap();
            for i in 0..3 {
                writer
                    .append(&format!("{i}.png"), i, &[i as u8; 12])
                    .unwrap();
            }
            let (file, summary) = writer.finish(&ChannelSums::default()).unwrap();
            let file = file.into_inner();
            let len = file.len() as u64;
            let header = ShardIndex::header_len(&file[..8], len).unwrap();
            let records = ShardIndex::record_data(&file[..header], len).unwrap();
            let mut around = vec![0; file.len()];
            around[..header].copy_from_slice(&file[..header]);
            around[records.end..].copy_from_slice(&file[records.end..]);
            let index = ShardIndex::parse(&around).unwrap();
            assert_eq!(index.data_range(), records);
            assert_eq!(records.len(), 36);
            index.verify_index(&around, summary.index_crc32c).unwrap();
            assert_eq!(
                (index.key(&around, 2), index.label(&around, 2)),
                ("2.png", 2)
            );
            assert_eq!(index.record(&file, 1), [1; 12]);
            // A header that is there in part says so.
            assert!(ShardIndex::record_data(&file[..header - 1], len).is_err());
            assert!(ShardIndex::header_len(&file[..7], len).is_err());
            assert!(ShardIndex::header_len(&file[..8], 100).is_err());
        }
    }
}
