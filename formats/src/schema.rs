//! Every constant of the format, once. `docs/format.md` states the same ones; a test compares the two.

/// Value of the metadata key `format` and of the manifest's `format`.
pub const FORMAT: &str = "shardmill";
/// Version that this crate writes, `major.minor`. Readers refuse another major version.
pub const VERSION: &str = "1.0";
/// The major version that this crate reads.
pub const MAJOR: u32 = 1;

/// Name of the manifest in a dataset's folder.
pub const MANIFEST_FILE: &str = "manifest.json";
/// File name extension of a shard.
pub const SHARD_EXTENSION: &str = "safetensors";

/// The data region of a shard begins at a multiple of this many bytes: one page, so that raw
/// records of 256x256x3 bytes fill exactly 48 pages each.
pub const DATA_ALIGNMENT: usize = 4096;
/// Every numeric tensor begins at a multiple of this many bytes.
pub const TENSOR_ALIGNMENT: usize = 8;
/// Longest JSON header that a reader accepts, in bytes.
pub const HEADER_LIMIT: usize = 1 << 20;
/// Longest key that is written or read, in bytes.
pub const KEY_LIMIT: usize = 4096;
/// Longest side of a record, in pixels.
pub const SIDE_LIMIT: u32 = 8192;
/// Longest manifest that a reader accepts, in bytes.
pub const MANIFEST_LIMIT: usize = 64 << 20;
/// Label of a record in a split without labels.
pub const UNLABELLED: i64 = -1;

/// Tensor of the pixels, U8 `[N, H, W, 3]`, codec `raw`.
pub const IMAGES: &str = "images";
/// Tensor of the concatenated encoded records, U8 `[bytes]`, codecs `zstd` and `jpeg`.
pub const RECORDS: &str = "records";
/// Tensor of the bounds of each encoded record, I64 `[N + 1]`.
pub const OFFSETS: &str = "offsets";
/// Tensor of the labels, I64 `[N]`.
pub const LABELS: &str = "labels";
/// Tensor of the CRC-32C of each record's stored bytes, U32 `[N]`.
pub const CHECKSUMS: &str = "checksums";
/// Tensor of the concatenated keys, U8 `[bytes]`.
pub const KEYS: &str = "keys";
/// Tensor of the bounds of each key, I64 `[N + 1]`.
pub const KEY_OFFSETS: &str = "key_offsets";
/// Tensor of 1 to 7 zero bytes behind the record data, so that what follows is aligned.
pub const PAD: &str = "pad";

/// Metadata key: always [`FORMAT`].
pub const META_FORMAT: &str = "format";
/// Metadata key: [`VERSION`].
pub const META_VERSION: &str = "version";
/// Metadata key: `raw`, `zstd` or `jpeg`.
pub const META_CODEC: &str = "codec";
/// Metadata key: height of a record in pixels.
pub const META_HEIGHT: &str = "height";
/// Metadata key: width of a record in pixels.
pub const META_WIDTH: &str = "width";
/// Metadata key: name of the split.
pub const META_SPLIT: &str = "split";
/// Metadata key: 0-based number of this shard in its split.
pub const META_SHARD: &str = "shard";
/// Metadata key: number of shards planned for the split.
pub const META_SHARDS: &str = "shards";
/// Metadata key: number of classes; labels are below it.
pub const META_CLASSES: &str = "classes";
/// Metadata key: fingerprint of the plan that the shard belongs to.
pub const META_FINGERPRINT: &str = "fingerprint";
/// Metadata key: ten exact integer sums over the decoded pixels, separated by single spaces.
pub const META_SUMS: &str = "sums";
