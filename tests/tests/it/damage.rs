use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use shardmill_formats::{Codec, ShardIndex};
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, run, write_tree};
use tempfile::TempDir;

fn dataset(codec: Codec) -> (TempDir, PathBuf) {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path());
    let out = tree.path().join("shards");
    let mut options = IngestOptions::new(tree.path(), &out);
    (options.codec, options.size) = (codec, 32);
    ingest(&options).unwrap();
    (tree, out)
}

/// `prep verify` and `loader bench` must both refuse, and name each of `words`.
fn refused(out: &Path, words: &[&str], by_loader: bool) {
    let folder = out.to_str().unwrap();
    let (code, _, stderr) = run(Program::Prep, &["verify", folder]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        words.iter().all(|word| stderr.contains(word)),
        "{words:?} in {stderr}"
    );
    if by_loader {
        let (code, _, stderr) = run(
            Program::Loader,
            &["bench", "--shards", folder, "--seconds", "0.1"],
        );
        assert_eq!(code, Some(1), "{stderr}");
        assert!(
            stderr.starts_with("error: ") && words.iter().all(|word| stderr.contains(word)),
            "{words:?} in {stderr}"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_named() {
    for codec in Codec::ALL {
        let (_tree, out) = dataset(codec);
        let name = "train-00000-of-00001.safetensors";
        let path = out.join(name);
        let whole = fs::read(&path).unwrap();
        let index = ShardIndex::parse(&whole).unwrap();
        let record = index.record_range(&whole, 3);
        let key = index.key(&whole, 3).to_owned();
        let mut places: Vec<(usize, Vec<&str>)> = vec![
            (record.start + 5, vec![name, "record 3", &key]),
            (40, vec![name]),
            (3000, vec![name]),
        ];
        // One byte of every index tensor, where the stock reader finds it.
        let stock = SafeTensors::deserialize(&whole).unwrap();
        for (tensor, view) in stock.iter() {
            if !matches!(tensor, "images" | "records") && !view.data().is_empty() {
                let start = view.data().as_ptr().addr() - whole.as_ptr().addr();
                places.push((start + view.data().len() / 2, vec![name]));
            }
        }
        assert!(
            places.len() >= 7,
            "labels, checksums, keys and their offsets"
        );
        for (at, words) in places {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            fs::write(&path, damaged).unwrap();
            refused(&out, &words, true);
        }
        for len in [0, 8, 4096, record.end, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            refused(&out, &[name], true);
        }
        fs::remove_file(&path).unwrap();
        refused(&out, &[name], true);
    }
}

#[test]
fn a_manifest_of_another_version_or_with_other_contents_is_refused() {
    let (_tree, out) = dataset(Codec::Raw);
    let path = out.join("manifest.json");
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to, word) in [
        (
            "\"version\": \"1.0\"",
            "\"version\": \"2.0\"",
            "version 2.0",
        ),
        ("\"codec\": \"raw\"", "\"codec\": \"zstd\"", "codec"),
        ("\"height\": 32", "\"height\": 33", "size"),
        ("\"records\": 24", "\"records\": 23", "records"),
        ("{", "[", "manifest.json"),
    ] {
        assert!(whole.contains(from), "{from} is not in {whole}");
        fs::write(&path, whole.replace(from, to)).unwrap();
        refused(&out, &[word], true);
    }
    let (code, _, _) = run(Program::Prep, &["inspect", out.to_str().unwrap()]);
    assert_eq!(code, Some(1));
}
