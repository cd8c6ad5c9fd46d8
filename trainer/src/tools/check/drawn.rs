//! Shards of noise for a check on a machine to which no dataset was carried.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use shardmill_formats::{Philox, Stream, errln};
use shardmill_prep::{DatasetWriter, Image, Sample, WriteOptions, class_list};

use crate::run::Stop;

/// Side of a record, in pixels.
const SIDE: u32 = 256;

const CLASSES: u64 = 10;

/// A dataset that is removed in the end.
#[derive(Debug)]
pub(super) struct Drawn(PathBuf);

impl Drawn {
    /// Draws `images` raw records of 256x256 into `folder`, which must not exist.
    ///
    /// # Errors
    /// What the file system refuses, or a stop, which leaves nothing.
    pub(super) fn make(folder: &Path, images: u64, stop: &Stop) -> anyhow::Result<Self> {
        errln!("drawing {images} records in {}", folder.display());
        let names: Vec<String> = (0..CLASSES).map(|class| format!("noise-{class}")).collect();
        let options = WriteOptions::new(class_list(&names)?);
        let mut writer = DatasetWriter::create(folder, options).with_context(|| {
            format!(
                "draw records in {}; if a check that was killed has left them, remove the folder",
                folder.display()
            )
        })?;
        // From here on the folder is ours.
        let drawn = Self(folder.to_owned());
        let len = (SIDE * SIDE * 3) as usize;
        for number in 0..images {
            if stop.is_requested() {
                anyhow::bail!("the check was stopped while it drew its records, and has no report");
            }
            let philox = Philox::new(number, Stream::Init);
            let words = (0..len.div_ceil(16) as u64).flat_map(|block| philox.block(block, 0));
            let pixels: Vec<u8> = words.flat_map(u32::to_le_bytes).take(len).collect();
            let sample = Sample {
                image: Image::Pixels {
                    width: SIDE,
                    height: SIDE,
                    channels: 3,
                    pixels,
                },
                label: (number % CLASSES) as i64,
                key: None,
            };
            writer.push("train", sample)?;
        }
        writer
            .finish()
            .with_context(|| format!("draw records in {}", folder.display()))?;
        Ok(drawn)
    }

    pub(super) fn shards(&self) -> &Path {
        &self.0
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        // What cannot be removed is in the way of nothing but the next check, which says so.
        let _ = fs::remove_dir_all(&self.0);
    }
}
