//! Drops shards from the page cache, and measures plain reading from the disk.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::read_manifest;
use anyhow::{Context, Result};

/// Bytes of one read; larger reads were not faster on any disk that we have seen.
const PIECE: usize = 8 << 20;

/// The shards of a split.
pub(crate) fn files(folder: &Path, split: &str) -> Result<Vec<PathBuf>> {
    let manifest = read_manifest(folder)?;
    let split = manifest.splits.get(split).context("no such split")?;
    let files = split.shards.iter().map(|shard| folder.join(&shard.file));
    Ok(files.collect())
}

/// Bytes of all files.
pub(crate) fn bytes(files: &[PathBuf]) -> Result<u64> {
    let mut sum = 0;
    for file in files {
        sum += named(file, fs::metadata(file))?.len();
    }
    Ok(sum)
}

/// Drops the files from the page cache. No process may have them mapped.
pub(crate) fn drop_cache(files: &[PathBuf]) -> Result<()> {
    for path in files {
        let file = named(path, File::open(path))?;
        #[cfg(target_os = "linux")]
        {
            // Pages that have not been written yet cannot be dropped.
            named(path, file.sync_all())?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
                .with_context(|| format!("{}", path.display()))?;
        }
        #[cfg(not(target_os = "linux"))]
        anyhow::bail!(
            "--cold: {} cannot be dropped from the page cache on this system",
            path.display()
        );
    }
    Ok(())
}

/// Reads the files with `threads` threads, each one file at a time from beginning to end. Returns bytes
/// per second.
pub(crate) fn read(files: &[PathBuf], threads: usize) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<u64> {
        let (mut buffer, mut sum) = (vec![0; PIECE], 0);
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut file = named(path, File::open(path))?;
            loop {
                let read = named(path, file.read(&mut buffer))?;
                if read == 0 {
                    break;
                }
                sum += read as u64;
            }
        }
        Ok(sum)
    };
    let start = Instant::now();
    let sum = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let sums = readers.into_iter().map(|reader| match reader.join() {
            Ok(sum) => sum,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        sums.sum::<Result<u64>>()
    })?;
    Ok(sum as f64 / start.elapsed().as_secs_f64())
}

fn named<T>(path: &Path, result: std::io::Result<T>) -> Result<T> {
    result.with_context(|| format!("{}", path.display()))
}
