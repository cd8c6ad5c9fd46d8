//! Damaged files, and epochs that are broken off.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use shardmill_formats::{Causes, Codec, ShardIndex};
use shardmill_loader::Dataset;

use crate::{builder, kit};

pub(crate) fn flip(path: &Path, at: u64) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
}

#[test]
fn a_damaged_record_ends_the_epoch_with_its_shard_record_and_key() {
    for codec in Codec::ALL {
        for threads in [0, 2] {
            let folder = tempfile::tempdir().unwrap();
            kit::write(folder.path(), codec);
            let path = folder.path().join("train-00002-of-00003.safetensors");
            let bytes = fs::read(&path).unwrap();
            let index = ShardIndex::parse(&bytes).unwrap();
            flip(&path, index.record_range(&bytes, 4).start as u64 + 9);
            let dataset = Dataset::open(folder.path(), "train").unwrap();
            let loader = builder(&dataset).threads(threads).build().unwrap();
            let mut batches = loader.epoch(0);
            let error = batches
                .find_map(Result::err)
                .expect("the damage went unnoticed");
            let error = Causes(&error).to_string();
            assert!(
                error.contains("train-00002-of-00003.safetensors") && error.contains("record 4"),
                "{error}"
            );
            assert!(error.contains("14.JPEG"), "{error}");
            assert!(batches.next().is_none(), "the epoch is over after an error");
        }
    }
}

#[test]
fn a_damaged_index_is_refused_when_the_dataset_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Zstd);
    let name = "train-00001-of-00003.safetensors";
    let path = folder.path().join(name);
    let whole = fs::read(&path).unwrap();
    let index = ShardIndex::parse(&whole).unwrap();
    for at in [
        9,
        4000,
        index.record_range(&whole, 0).end + 8,
        whole.len() - 2,
    ] {
        flip(&path, at as u64);
        let error = Dataset::open(folder.path(), "train")
            .expect_err("the damage went unnoticed")
            .to_string();
        assert!(error.contains(name), "{error}");
        fs::write(&path, &whole).unwrap();
    }
    for len in [0, 7, 100, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        let error = Dataset::open(folder.path(), "train")
            .expect_err("the cut went unnoticed")
            .to_string();
        assert!(error.contains(name), "{error}");
    }
    fs::copy(
        folder.path().join("train-00000-of-00003.safetensors"),
        &path,
    )
    .unwrap();
    assert!(
        Dataset::open(folder.path(), "train").is_err(),
        "a shard in another's place"
    );
    fs::remove_file(&path).unwrap();
    assert!(
        Dataset::open(folder.path(), "train")
            .err()
            .unwrap()
            .to_string()
            .contains(name)
    );
}
