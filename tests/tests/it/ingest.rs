use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use shardmill_formats::Codec;
use shardmill_loader::Dataset;
use shardmill_prep::source::PassedKind;
use shardmill_prep::{IngestOptions, ingest, verify};
use shardmill_tests::{TREE_IMAGES, photo, real_images, write_tree};

/// Every file of a folder with its bytes.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect()
}

/// Key, label and pixels of every sample of a split, by key.
pub(crate) fn samples(folder: &Path, split: &str) -> BTreeMap<String, (i64, Vec<u8>)> {
    let dataset = Dataset::open(folder, split).unwrap();
    let read = |i| {
        let mut rgb = vec![0; dataset.shape().bytes()];
        dataset.read(i, &mut rgb).unwrap();
        (dataset.key(i).to_owned(), (dataset.label(i), rgb))
    };
    (0..dataset.len()).map(read).collect()
}

/// Ingests `source` with every codec and on one and two threads, and checks what comes of it.
fn check_every_codec(source: &Path, images: usize, rejects: usize) {
    let work = tempfile::tempdir().unwrap();
    let mut pixels = Vec::new();
    for codec in Codec::ALL {
        let options = |name: &str, threads| {
            let mut options = IngestOptions::new(source, work.path().join(name));
            (options.codec, options.threads, options.shard_records) = (codec, threads, 100);
            options
        };
        let (one, two) = (
            options(&format!("{codec}-1"), 1),
            options(&format!("{codec}-2"), 2),
        );
        let summary = ingest(&one).unwrap();
        ingest(&two).unwrap();
        assert_eq!(
            (summary.images() as usize, summary.rejects.len()),
            (images, rejects),
            "{:?}",
            summary.rejects
        );
        assert!(
            files(&one.out) == files(&two.out),
            "{codec}: one and two threads give different bytes"
        );
        let verification = verify(&one.out, 2, false).unwrap();
        assert_eq!(
            (verification.faults.len(), verification.records as usize),
            (0, images - rejects)
        );
        pixels.push(samples(&one.out, "train"));
    }
    assert!(pixels[0] == pixels[1], "zstd must give raw's pixels");
    for (key, (label, rgb)) in &pixels[2] {
        let (raw_label, raw) = &pixels[0][key];
        let difference: u64 = rgb
            .iter()
            .zip(raw)
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        assert_eq!(label, raw_label);
        assert!(
            difference < 12 * rgb.len() as u64,
            "{key}: JPEG is off by {difference} over {}",
            rgb.len()
        );
    }
}

#[test]
fn every_odd_image_becomes_a_record_with_every_codec() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path());
    check_every_codec(tree.path(), TREE_IMAGES, 0);
}

#[test]
fn imagenet_samples_ingest_with_every_codec_and_no_reject() {
    let Some(tree) = real_images("imagenet_samples_ingest", "imagenet-samples.tar") else {
        return;
    };
    check_every_codec(&tree.path().join("imagenet"), 300, 0);
}

#[test]
fn labels_follow_sorted_class_folders_in_both_splits() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path());
    let out = tree.path().join("shards");
    let summary = ingest(&IngestOptions::new(tree.path(), &out)).unwrap();
    assert_eq!(summary.passed_over.files(), 3, "the three .DS_Store");
    let val = samples(&out, "val");
    assert_eq!(val.len(), 6);
    for (key, (label, _)) in samples(&out, "train").iter().chain(&val) {
        let class = key.split('/').nth(1).unwrap();
        let place = shardmill_tests::TREE_CLASSES
            .iter()
            .position(|name| *name == class)
            .unwrap();
        assert_eq!(*label, place as i64, "{key}");
    }
}

#[test]
fn bare_class_folders_are_split_by_seed() {
    let tree = tempfile::tempdir().unwrap();
    for class in ["b", "a"] {
        fs::create_dir(tree.path().join(class)).unwrap();
        for i in 0..10 {
            photo(40, 40, i)
                .save(tree.path().join(class).join(format!("{i}.png")))
                .unwrap();
        }
    }
    let work = tempfile::tempdir().unwrap();
    let split = |name: &str, seed| {
        let mut options = IngestOptions::new(tree.path(), work.path().join(name));
        (options.size, options.val_fraction, options.seed) = (32, 0.3, seed);
        ingest(&options).unwrap();
        (samples(&options.out, "train"), samples(&options.out, "val"))
    };
    let (train, val) = split("one", 1);
    assert_eq!((train.len(), val.len()), (14, 6));
    assert_eq!(
        val.values().filter(|(label, _)| *label == 0).count(),
        3,
        "each class gives its share"
    );
    assert!(val.keys().all(|key| !train.contains_key(key)));
    assert!(split("again", 1) == (train, val.clone()));
    assert!(split("other", 2).1 != val);
}

#[test]
fn bad_images_are_counted_and_named() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path());
    let class = tree.path().join("train").join("n01440764");
    fs::write(class.join("empty.JPEG"), b"").unwrap();
    fs::write(class.join("words.JPEG"), b"these are words").unwrap();
    fs::write(class.join("notes.txt"), b"no image by its name").unwrap();
    let whole = fs::read(class.join("n01440764_1.JPEG")).unwrap();
    fs::write(class.join("cut.JPEG"), &whole[..whole.len() / 2]).unwrap();
    let out = tree.path().join("shards");
    let summary = ingest(&IngestOptions::new(tree.path(), &out)).unwrap();
    let reasons: Vec<_> = summary.rejects_by_reason().into_iter().collect();
    assert_eq!(
        reasons,
        [("empty", 1), ("not-an-image", 1), ("truncated", 1)]
    );
    let lines = fs::read_to_string(out.join("rejects.jsonl")).unwrap();
    for name in ["empty.JPEG", "words.JPEG", "cut.JPEG"] {
        assert!(
            lines.contains(&format!("train/n01440764/{name}")),
            "{lines}"
        );
    }
    assert_eq!(summary.manifest.rejects.count, 3);
    let text = summary.passed_over.of(PassedKind::Text).unwrap();
    assert_eq!(text.examples, ["train/n01440764/notes.txt"]);
    assert_eq!(
        samples(&out, "train").len(),
        TREE_IMAGES - 6,
        "a reject takes no other image along"
    );
}
