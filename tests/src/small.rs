//! A small image tree of a few classes, quick to ingest and to train on.

use std::fs;
use std::path::Path;

use crate::tree::photo;

/// Side of the images, which are their own records when they are ingested at this size.
pub const SMALL_SIDE: u32 = 72;

/// Writes `folder/<split>/<class>/<number>.png`, as many as each split is given of each class, all of them
/// different.
///
/// # Panics
/// If a file cannot be written.
pub fn write_small(folder: &Path, classes: &[&str], splits: &[(&str, u32)]) {
    let mut number = 0;
    for (split, images) in splits {
        for class in classes {
            let place = folder.join(split).join(class);
            fs::create_dir_all(&place).expect("a folder can be made");
            for i in 0..*images {
                number += 1;
                let image = photo(SMALL_SIDE, SMALL_SIDE, number);
                let path = place.join(format!("{i}.png"));
                image.save(path).expect("a file can be written");
            }
        }
    }
}
