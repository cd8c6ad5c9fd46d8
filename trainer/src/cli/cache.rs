//! The cache for datasets in object stores.

use std::path::PathBuf;

use clap::Args;
use shardmill_formats::byte_size;
use shardmill_loader::CacheOptions;

/// The flags of the commands that read all images of a dataset.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cache")]
pub(super) struct CacheArgs {
    /// Folder for shards of object stores while they are needed [default: SHARDMILL_CACHE_DIR, or shardmill in the
    /// user's folder for caches]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Most bytes of shards in it, such as 200G [default: SHARDMILL_CACHE_BYTES, or half of what the disk has free]
    #[arg(long, value_name = "BYTES", value_parser = byte_size)]
    cache_bytes: Option<u64>,
}

impl CacheArgs {
    /// The cache.
    pub(super) fn options(&self) -> CacheOptions {
        CacheOptions {
            dir: self.cache_dir.clone(),
            bytes: self.cache_bytes,
        }
    }
}
