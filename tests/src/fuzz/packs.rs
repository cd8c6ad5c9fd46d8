//! Seeds that are Parquet files and development kits.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

use super::Seed;
use super::archives::kind;
use super::scratch::{prepared, read, write_tiny};
use crate::layouts::write_official;
use crate::packed::write_parquet;

/// The kit as it is distributed, unpacked to a tar.
fn kit() -> Vec<u8> {
    let out = prepared(|out| write_official(prepared(write_tiny).path(), out));
    let packed = read(&out.path().join("ILSVRC2012_devkit_t12.tar.gz"));
    let mut tar = Vec::new();
    GzDecoder::new(&*packed)
        .read_to_end(&mut tar)
        .expect("a kit can be unpacked");
    tar
}

/// The kit's table of synsets and its labels.
static UNPACKED: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let file = |wanted: &str| {
        let kit = kit();
        let mut tar = tar::Archive::new(&*kit);
        let mut members = tar
            .entries()
            .expect("a tar has members")
            .map(Result::unwrap);
        let is_wanted = |path: &Path| path.ends_with(wanted);
        let mut member = members
            .find(|member| is_wanted(&member.path().expect("a member has a name")))
            .expect("the kit has this file");
        let mut bytes = Vec::new();
        member
            .read_to_end(&mut bytes)
            .expect("a member can be read");
        bytes
    };
    (
        file("meta.mat"),
        file("ILSVRC2012_validation_ground_truth.txt"),
    )
});

/// The kit's table of synsets and its labels.
pub(super) fn unpacked_kit() -> (Vec<u8>, Vec<u8>) {
    UNPACKED.clone()
}

/// The kit's files and the kit behind the byte that says which. The table is there as the kit has it, and
/// without its compression.
pub(super) fn devkits() -> Vec<Seed> {
    let (meta, truth) = unpacked_kit();
    vec![
        ("meta".to_owned(), kind(0, &meta)),
        ("plain-meta".to_owned(), kind(0, &inflated(&meta))),
        ("truth".to_owned(), kind(1, &truth)),
        ("kit".to_owned(), kind(2, &kit())),
    ]
}

/// A MATLAB file with its one compressed element unpacked.
fn inflated(meta: &[u8]) -> Vec<u8> {
    let (header, element) = meta.split_at(128);
    let mut file = header.to_vec();
    flate2::read::ZlibDecoder::new(&element[8..])
        .read_to_end(&mut file)
        .expect("an element can be unpacked");
    file
}

/// Tables of Hugging Face's kind, and one as `prep export` writes it.
pub(super) fn parquets() -> Vec<Seed> {
    let tree = prepared(write_tiny);
    let out = prepared(|out| write_parquet(tree.path(), out));
    let data = out.path().join("data");
    let mut names: Vec<_> = std::fs::read_dir(&data)
        .expect("a folder of tables")
        .map(|entry| {
            entry
                .expect("a table")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let exported = super::lists::exported("parquet").into_iter();
    let tables = exported.filter(|(name, _)| name.ends_with(".parquet"));
    let tables = tables.map(|(name, bytes)| (format!("exported-{name}"), bytes));
    names
        .into_iter()
        .map(|name| (name.clone(), read(&data.join(&name))))
        .chain(tables)
        .collect()
}
