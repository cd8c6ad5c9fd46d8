//! Where a dataset lies, and how fast it is read from there.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::{Serialize, Serializer};
use shardmill_formats::Manifest;
use shardmill_loader::LoaderError;
use shardmill_store::{Remote, StoreError, address};

use crate::run::data;
use crate::run::error::TrainError;
use crate::tools::doctor::gib;

/// Bytes that are read to measure the speed.
const MEASURED: u64 = 256 << 20;

/// Bytes of a read.
const BLOCK: usize = 4 << 20;

/// Where a dataset lies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ShardPlace {
    /// Its folder or address; what is not UTF-8 in its name is U+FFFD here in JSON.
    #[serde(serialize_with = "lossy")]
    folder: PathBuf,
    /// Images of split `train`.
    images: u64,
    /// Bytes of its shards.
    bytes: u64,
    /// Type of the file system, where the system reports it.
    file_system: Option<String>,
    /// Bytes a second of plain reads, one after the other; cached pages are read from memory. Of an object store:
    /// of whole shards, fetched in several connections.
    bytes_per_second: f64,
}

impl ShardPlace {
    /// Looks at the dataset in `folder`.
    ///
    /// # Errors
    /// No dataset there, or files that cannot be read.
    pub(super) fn of(folder: &Path) -> Result<Self, TrainError> {
        let dataset = data::open(folder, data::TRAIN)?;
        if let Some(address) = address(folder) {
            let (images, manifest) = (dataset.len(), dataset.manifest());
            return Self::of_store(address, images, manifest).map_err(store);
        }
        let io = |path: &Path| TrainError::io("read", path);
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(io(folder))? {
            let path = entry.map_err(io(folder))?.path();
            if path.extension().is_some_and(|end| end == "safetensors") {
                files.push(path);
            }
        }
        files.sort();
        let mut bytes = 0;
        for file in &files {
            bytes += fs::metadata(file).map_err(io(file))?.len();
        }
        let (mut read, mut block) = (0_u64, vec![0; BLOCK]);
        let clock = Instant::now();
        'files: for path in &files {
            let mut file = File::open(path).map_err(io(path))?;
            loop {
                let count = file.read(&mut block).map_err(io(path))?;
                read += count as u64;
                if read >= MEASURED {
                    break 'files;
                }
                if count == 0 {
                    break;
                }
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            images: dataset.len(),
            bytes,
            file_system: file_system(folder),
            bytes_per_second: read as f64 / clock.elapsed().as_secs_f64().max(f64::MIN_POSITIVE),
        })
    }

    /// Looks at a dataset in an object store.
    fn of_store(address: &str, images: u64, manifest: &Manifest) -> Result<Self, StoreError> {
        let remote = Remote::open(address)?;
        let shards = || manifest.splits.values().flat_map(|split| &split.shards);
        let (read, clock) = (AtomicU64::new(0), Instant::now());
        let enough = || read.load(Ordering::Relaxed) >= MEASURED;
        for shard in shards() {
            let fetched = remote.drain(&shard.file, shard.bytes, &|bytes| {
                read.fetch_add(bytes, Ordering::Relaxed);
                !enough()
            });
            match fetched {
                Err(StoreError::Stopped) if enough() => break,
                fetched => fetched?,
            }
        }
        let read = read.into_inner() as f64;
        Ok(Self {
            folder: address.into(),
            images,
            bytes: shards().map(|shard| shard.bytes).sum(),
            file_system: Some("an object store".to_owned()),
            bytes_per_second: read / clock.elapsed().as_secs_f64().max(f64::MIN_POSITIVE),
        })
    }

    /// What is best done with shards that are larger than `memory` bytes.
    pub(super) fn advice(&self, memory: u64) -> Option<&'static str> {
        if self.bytes <= memory {
            return None;
        }
        Some(match address(&self.folder) {
            None => {
                "the shards are larger than memory: keep them on a local disk that reads at random fast"
            }
            Some(_) => {
                "the shards are larger than memory: give them a cache on a fast local disk (`--cache-dir`), of their \
                 size, or with `--order shards` of a few shards"
            }
        })
    }
}

impl fmt::Display for ShardPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} training images, {:.2} GiB on {}, read at {:.0} MB/s",
            self.folder.display(),
            self.images,
            gib(self.bytes),
            self.file_system.as_deref().unwrap_or("a file system"),
            self.bytes_per_second / 1e6
        )
    }
}

fn store(error: StoreError) -> TrainError {
    LoaderError::from(error).into()
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// The type of the file system that holds `folder`: that of the longest mount point above it.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(point), Some(kind)) = (fields.next(), fields.next()) else {
            continue;
        };
        let length = point.len();
        if folder.starts_with(point) && best.is_none_or(|(longest, _)| length >= longest) {
            best = Some((length, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_longest_mount_point_counts() {
        assert_eq!(file_system(Path::new("/proc")).as_deref(), Some("proc"));
        assert!(file_system(Path::new("/no/such/folder")).is_none());
    }
}
