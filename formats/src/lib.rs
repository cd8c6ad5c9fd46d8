//! The Shardmill format: a written profile of [safetensors](https://docs.rs/safetensors) for sets
//! of images, its codecs, and the manifest that describes a dataset.
//!
//! This crate turns bytes into meaning and back; it opens no file and starts no thread. The two
//! types to know are [`ShardWriter`], which streams records into anything that can be written and
//! sought, and [`ShardIndex`], which validates a shard's bytes once and then gives out records.
//! `docs/format.md` is the normative description.
//!
//! ```
//! use std::io::Cursor;
//! use shardmill_formats::{ChannelSums, Codec, Decoder, Encoder, EncodeOptions};
//! use shardmill_formats::{RecordShape, ShardIndex, ShardMetadata, ShardWriter};
//!
//! let shape = RecordShape { height: 2, width: 2 };
//! let pixels = [10, 20, 30, 11, 21, 31, 12, 22, 32, 13, 23, 33];
//! let metadata = ShardMetadata {
//!     codec: Codec::Zstd,
//!     shape,
//!     split: "train".to_owned(),
//!     shard: 0,
//!     shards: 1,
//!     classes: 10,
//!     fingerprint: "example".to_owned(),
//!     sums: ChannelSums::default(),
//! };
//!
//! let mut stored = Vec::new();
//! Encoder::new(Codec::Zstd, shape, EncodeOptions::default())?.encode(&pixels, &mut stored)?;
//! let mut sums = ChannelSums::default();
//! sums.add_image(&pixels);
//! let mut writer = ShardWriter::new(Cursor::new(Vec::new()), metadata)?;
//! writer.append("train/tench/1.JPEG", 3, &stored)?;
//! let (file, summary) = writer.finish(&sums)?;
//!
//! let file = file.into_inner();
//! let index = ShardIndex::parse(&file)?;
//! index.verify_index(&file, summary.index_crc32c)?;
//! index.verify_record(&file, 0)?;
//! let mut back = [0; 12];
//! Decoder::new(index.codec(), index.shape()).decode(index.record(&file, 0), &mut back)?;
//! assert_eq!((back, index.label(&file, 0), index.key(&file, 0)), (pixels, 3, "train/tench/1.JPEG"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod causes;
mod checksum;
mod codec;
pub mod console;
mod error;
mod header;
mod index;
mod key;
mod manifest;
mod metadata;
mod mismatch;
mod panic_message;
mod permutation;
mod philox;
mod printable;
pub mod schema;
mod shape;
mod statistics;
mod stream_hash;
mod sums;
mod words;
mod writer;

pub use causes::Causes;
pub use checksum::crc32c;
pub use codec::{Codec, CodecError, Decoder, EncodeOptions, Encoder, Rows, Window};
pub use error::ShardError;
pub use index::ShardIndex;
pub use key::{KeyError, check_key};
pub use manifest::{
    Class, Manifest, ManifestError, Preprocessing, Rejects, ShardEntry, Source, Split,
    SplitStatistics, shard_file_name,
};
pub use metadata::ShardMetadata;
pub use mismatch::Mismatch;
pub use panic_message::panic_message;
pub use permutation::Permutation;
pub use philox::{Philox, Stream};
pub use printable::{Printable, printable_lines};
pub use schema::MANIFEST_FILE;
pub use shape::RecordShape;
pub use statistics::Statistics;
pub use sums::ChannelSums;
pub use words::{byte_size, counted, size};
pub use writer::{SealedShard, ShardSummary, ShardWriter, WriteError};
