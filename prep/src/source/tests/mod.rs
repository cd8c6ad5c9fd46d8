//! Packed sources: what is read from them, and what is refused.

mod tables;
mod tar_members;
mod tars;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::observe::Observer;
use tables::write_parquet;

/// A source's folder beside the output's.
struct Work(TempDir);

impl Work {
    fn new() -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        fs::create_dir(work.source()).unwrap();
        work
    }

    fn source(&self) -> PathBuf {
        self.0.path().join("source")
    }

    fn list(&self) -> Result<Listing, PrepError> {
        list_from(&self.source(), &self.0.path().join("out"))
    }

    /// Writes a tar, compressed as its name says.
    fn tar(&self, name: &str, members: &[(&str, &[u8])]) -> PathBuf {
        let mut tar = Vec::new();
        for (name, bytes) in members {
            // By hand, since the builder refuses hostile names.
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.extend_from_slice(header.as_bytes());
            tar.extend_from_slice(bytes);
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.resize(tar.len() + 1024, 0);
        let path = self.source().join(name);
        let packed = if name.ends_with("gz") {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        } else if name.ends_with("zst") {
            zstd::encode_all(&*tar, 1).unwrap()
        } else {
            tar
        };
        fs::write(&path, packed).unwrap();
        path
    }

    fn error(&self) -> String {
        let error = self.list().unwrap_err();
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
        let texts: Vec<String> = causes.map(ToString::to_string).collect();
        texts.join(": ")
    }

    /// The bytes of every image, by split and key, with its label.
    fn images(&self) -> BTreeMap<String, (i64, Vec<u8>)> {
        let listing = self.list().unwrap();
        let reader = Reader::new(Path::new("nowhere"), listing.containers);
        let mut bytes = Vec::new();
        let entries = listing.splits.into_values().flatten().map(|entry| {
            assert_eq!(reader.read(&entry, &mut bytes).unwrap(), None);
            (entry.key.to_string(), (entry.label, bytes.clone()))
        });
        entries.collect()
    }
}

/// What `source` holds, recognised by looking at it.
fn list_from(source: &Path, out: &Path) -> Result<Listing, PrepError> {
    list(&SourceRequest {
        source,
        layout: None,
        out,
        val_fraction: 0.0,
        seed: 0,
        without: &[],
        in_place: false,
        progress: false,
        observer: &Observer::default(),
    })
}

fn keys(images: &BTreeMap<String, (i64, Vec<u8>)>) -> Vec<(&str, i64)> {
    let pairs = images
        .iter()
        .map(|(key, (label, _))| (key.as_str(), *label));
    pairs.collect()
}

#[test]
fn a_truncated_file_is_named() {
    let bytes: Vec<u8> = (0..20_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for name in [
        "train.tar",
        "train.tar.gz",
        "train.tar.zst",
        "train.parquet",
    ] {
        let work = Work::new();
        let path = work.source().join(name);
        if name.ends_with("parquet") {
            write_parquet(&path, None, &[(Some(&bytes), Some("a.jpg"), Some(0))]);
        } else {
            work.tar(name, &[("a.jpg", &bytes), ("a.cls", b"0")]);
        }
        assert_eq!(work.images().len(), 1);
        let whole = fs::read(&path).unwrap();
        for len in [whole.len() / 2, whole.len() / 20, 700] {
            fs::write(&path, &whole[..len]).unwrap();
            let error = work.error();
            assert!(error.contains(name), "{len}: {error}");
        }
    }
}

#[test]
fn labels_out_of_range_are_named() {
    for label in ["1000001", "-2", "1.5", ""] {
        let work = Work::new();
        work.tar("a.tar", &[("x.jpg", b"1"), ("x.cls", label.as_bytes())]);
        let error = work.error();
        assert!(
            error.contains("a.tar: x.cls: label") && error.contains(label),
            "{error}"
        );
    }
    for label in [2, -2, i64::MIN, i64::MAX] {
        let work = Work::new();
        let path = work.source().join("a.parquet");
        write_parquet(&path, Some(&["a", "b"]), &[(Some(b"x"), None, Some(label))]);
        let error = work.error();
        let said = format!("label {label} is not one of 0 to 1");
        assert!(
            error.contains("a.parquet") && error.contains(&said),
            "{error}"
        );
    }
}
