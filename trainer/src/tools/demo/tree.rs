//! Writes the demo's pictures as a tree of class folders.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;

use crate::tools::demo::scene::{CLASSES, draw};

/// Pictures of each class.
#[derive(Clone, Copy, Debug)]
pub struct TreeSize {
    /// For training.
    pub train: u64,
    /// For validation.
    pub val: u64,
}

impl TreeSize {
    /// What the demo trains on.
    pub const DEMO: Self = Self {
        train: 120,
        val: 40,
    };
}

/// Draws `folder/train/<class>/NNNN.JPEG` and `folder/val/<class>/NNNN.JPEG` and returns their
/// number.
///
/// # Errors
/// A folder or file that cannot be written.
pub fn write_tree(folder: &Path, seed: u64, size: TreeSize) -> Result<u64> {
    let mut jobs = Vec::new();
    for (split, numbers) in [
        ("train", 0..size.train),
        ("val", size.train..size.train + size.val),
    ] {
        for (class, name) in CLASSES.iter().enumerate() {
            let folder = folder.join(split).join(name);
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            jobs.extend(
                numbers
                    .clone()
                    .map(|number| (folder.join(format!("{number:04}.JPEG")), class, number)),
            );
        }
    }
    jobs.par_iter().try_for_each(|(path, class, number)| {
        let picture = draw(seed, *class, *number);
        // Qualities vary as they do among photographs; they follow from the number.
        let quality = 75 + (number % 5) as u8 * 5;
        fs::write(path, picture.jpeg(quality)?).with_context(|| path.display().to_string())
    })?;
    Ok(jobs.len() as u64)
}
