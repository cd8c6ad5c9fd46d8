//! Seeds that are tars.

use std::path::Path;

use super::Seed;
use super::scratch::{gzip, prepared, read, write_tiny};
use crate::layouts::write_official;
use crate::packed::{Packing, write_webdataset};

/// WebDataset's tars behind the byte that says how they are packed.
pub(super) fn tars() -> Vec<Seed> {
    let tree = prepared(write_tiny);
    let packed = |packing, name: &str| {
        let out = prepared(|out| write_webdataset(tree.path(), out, packing));
        read(&out.path().join(name))
    };
    let plain = packed(Packing::None, "train-000000.tar");
    let zstd = packed(Packing::Zstd, "train-000000.tar.zst");
    vec![
        ("plain".to_owned(), kind(0, &plain)),
        ("gzip".to_owned(), kind(1, &plain)),
        ("gzip-as-it-is".to_owned(), kind(2, &gzip(&plain))),
        ("zstd".to_owned(), kind(3, &zstd)),
        ("long-names".to_owned(), kind(0, &long_names())),
    ]
}

/// The training and the validation tar behind the byte that says which.
pub(super) fn officials() -> Vec<Seed> {
    let out = prepared(|out| write_official(prepared(write_tiny).path(), out));
    let tar = |name: &str| read(&out.path().join(name));
    vec![
        (
            "train".to_owned(),
            kind(0, &tar("ILSVRC2012_img_train.tar")),
        ),
        ("val".to_owned(), kind(1, &tar("ILSVRC2012_img_val.tar"))),
    ]
}

pub(super) fn kind(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind], bytes].concat()
}

/// A tar with the two ways of writing a name of more than 100 bytes: GNU's and that of pax.
fn long_names() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let name = format!("{}/0001.cls", "folder/".repeat(20));
    crate::layouts::append(&mut tar, &name, b"1");
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        // The length counts its own two digits.
        format!("{}{rest}", rest.len() + 2)
    };
    let records = record("path", "0001.txt") + &record("size", "1");
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_size(records.len() as u64);
    header.set_path(Path::new("pax")).expect("a short name");
    header.set_cksum();
    tar.append(&header, records.as_bytes())
        .expect("memory can be written");
    crate::layouts::append(&mut tar, "other", b"x");
    tar.into_inner().expect("a tar can be ended")
}
