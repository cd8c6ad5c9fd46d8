//! Folders for parsers that read files.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::DynamicImage;
use tempfile::TempDir;

use crate::layouts::val_name;
use crate::tree::{photo, png};

/// Classes of [`write_tiny`].
pub(super) const CLASSES: [&str; 2] = ["n01440764", "n02102040"];

/// A folder in memory if the system has one, filled by `fill`.
pub(super) fn prepared(fill: impl FnOnce(&Path)) -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let folder = folder.expect("a temporary folder can be made");
    fill(folder.path());
    folder
}

/// Writes class folders of `train` and `val` with images of a few pixels, for the writers of layouts.
pub(super) fn write_tiny(folder: &Path) {
    for (class, number) in CLASSES.iter().zip(0..) {
        let image = |number| png(&DynamicImage::ImageRgb8(photo(3, 2, number)));
        let train = folder.join("train").join(class);
        let val = folder.join("val").join(class);
        write(&train.join(format!("{class}_1.png")), &image(number));
        write(&val.join(val_name(number as usize + 1)), &image(number + 2));
    }
}

/// Writes class folders of `train`, and the images of `val` without classes.
pub(super) fn write_flat(folder: &Path) {
    let tree = prepared(write_tiny);
    for (class, number) in CLASSES.iter().zip(1..) {
        let (train, val) = (format!("train/{class}/{class}_1.png"), val_name(number));
        let inside = tree.path().join("val").join(class).join(&val);
        write(&folder.join(&train), &read(&tree.path().join(&train)));
        write(&folder.join("val").join(&val), &read(&inside));
    }
}

/// Writes a file and the folders around it.
pub(super) fn write(path: &Path, bytes: &[u8]) {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    fs::write(path, bytes).expect("a file can be written");
}

pub(super) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Packs bytes without making them smaller, which is quick and has sound checksums.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all(bytes).expect("memory can be written");
    packed.finish().expect("memory can be written")
}
