//! Small datasets, and all that is in one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use shardmill_formats::{
    ChannelSums, Class, Codec, Decoder, Manifest, Preprocessing, Rejects, ShardEntry, ShardIndex,
    ShardMetadata, ShardWriter, Source, Split, shard_file_name,
};
use shardmill_jpeg::{Image, Options, Region};
use shardmill_prep::{IngestOptions, ingest, verify};
use tempfile::TempDir;

/// The pixels of a JPEG. The image crate is built without it.
pub(crate) fn jpeg_pixels(bytes: &[u8]) -> RgbImage {
    let image = Image::parse(bytes).unwrap();
    let (width, height) = (image.width(), image.height());
    let mut pixels = Vec::new();
    let mut decoder = shardmill_jpeg::Decoder::default();
    let whole = Region::whole(width, height);
    let mut take = |strip: shardmill_jpeg::Strip<'_>| pixels.extend_from_slice(strip.rgb);
    let report = decoder.rgb(&image, whole, Options::default(), &mut take);
    assert!(!report.unwrap().warnings.any());
    RgbImage::from_raw(width as u32, height as u32, pixels).unwrap()
}

/// Side of the records.
pub(crate) const SIDE: u32 = 24;

/// A scratch folder with a dataset in `shards`: three classes, 30 training and 6 validation
/// images, in training shards of 8 records or fewer.
pub(crate) struct Fixture {
    scratch: TempDir,
}

impl Fixture {
    pub(crate) fn new(codec: Codec) -> Self {
        let fixture = Self {
            scratch: tempfile::tempdir().unwrap(),
        };
        for (split, each) in [("train", 10), ("val", 2)] {
            for (class, tint) in [("n01", 0), ("n02", 90), ("n03", 180)] {
                let folder = fixture.path("images").join(split).join(class);
                fs::create_dir_all(&folder).unwrap();
                for i in 0..each {
                    picture(i * 7 + tint + each)
                        .save(folder.join(format!("{class}_{split}_{i}.v1.png")))
                        .unwrap();
                }
            }
        }
        fs::write(fixture.path("images/train/n01/broken.png"), "no image").unwrap();
        let mut options = IngestOptions::new(fixture.path("images"), fixture.shards());
        (options.codec, options.size, options.shard_records) = (codec, SIDE, 8);
        ingest(&options).unwrap();
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(crate) fn shards(&self) -> PathBuf {
        self.path("shards")
    }
}

fn picture(seed: u32) -> RgbImage {
    RgbImage::from_fn(SIDE + 9, SIDE + 3, |x, y| {
        let noise = (x * 31 + y * 17 + seed * 101).wrapping_mul(2_654_435_761) >> 28;
        Rgb([
            (x * 5 + seed) as u8,
            (y * 7 + noise) as u8,
            (seed + noise * 3) as u8,
        ])
    })
}

/// A record of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) split: String,
    pub(crate) key: String,
    pub(crate) label: i64,
    pub(crate) stored: Vec<u8>,
    pub(crate) rgb: Vec<u8>,
}

pub(crate) fn manifest(folder: &Path) -> Manifest {
    Manifest::parse(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

/// Every record in order.
pub(crate) fn records(folder: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    for (split, entries) in &manifest(folder).splits {
        for entry in &entries.shards {
            let file = fs::read(folder.join(&entry.file)).unwrap();
            let index = ShardIndex::parse(&file).unwrap();
            for i in 0..index.len() {
                let mut rgb = vec![0; index.shape().bytes()];
                Decoder::new(index.codec(), index.shape())
                    .decode(index.record(&file, i), &mut rgb)
                    .unwrap();
                records.push(Record {
                    split: split.clone(),
                    key: index.key(&file, i).to_owned(),
                    label: index.label(&file, i),
                    stored: index.record(&file, i).to_owned(),
                    rgb,
                });
            }
        }
    }
    records
}

/// Sums over the training records.
pub(crate) fn train_sums(folder: &Path) -> ChannelSums {
    let mut sums = ChannelSums::default();
    let records = records(folder);
    for record in records.iter().filter(|record| record.split == "train") {
        sums.add_image(&record.rgb);
    }
    sums
}

/// The sums that each shard states.
pub(crate) fn stated_sums(folder: &Path, split: &str) -> Vec<ChannelSums> {
    let manifest = manifest(folder);
    let shards = manifest.splits[split].shards.iter();
    shards
        .map(|entry| {
            let file = fs::read(folder.join(&entry.file)).unwrap();
            ShardIndex::parse(&file).unwrap().metadata().sums
        })
        .collect()
}

pub(crate) fn assert_sound(folder: &Path) {
    let faults = verify(folder, 1, false).unwrap().faults;
    assert!(faults.is_empty(), "{faults:?}");
}

/// The bytes of every file below a folder, by path.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(folder).unwrap().to_owned();
            found.insert(path, fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// Flips a bit in the first record of the first training shard.
pub(crate) fn damage(folder: &Path) {
    let path = folder.join(&manifest(folder).splits["train"].shards[0].file);
    let mut bytes = fs::read(&path).unwrap();
    let range = ShardIndex::parse(&bytes).unwrap().record_range(&bytes, 0);
    bytes[range.start + range.len() / 2] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A dataset of one raw 2x2 training shard with the given classes and keys; the label of record i
/// is i modulo the number of classes, or -1 without any.
pub(crate) fn handmade(folder: &Path, classes: &[&str], keys: &[&str]) {
    fs::create_dir_all(folder).unwrap();
    let shape = shardmill_formats::RecordShape {
        height: 2,
        width: 2,
    };
    let metadata = ShardMetadata {
        codec: Codec::Raw,
        shape,
        split: "train".to_owned(),
        shard: 0,
        shards: 1,
        classes: classes.len() as u64,
        fingerprint: "handmade".to_owned(),
        sums: ChannelSums::default(),
    };
    let name = shard_file_name("train", 0, 1);
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(folder.join(&name))
        .unwrap();
    let mut writer = ShardWriter::new(file, metadata).unwrap();
    for (i, key) in keys.iter().enumerate() {
        let label = if classes.is_empty() {
            -1
        } else {
            (i % classes.len()) as i64
        };
        writer.append(key, label, &[i as u8; 12]).unwrap();
    }
    let (_, summary) = writer.finish(&ChannelSums::default()).unwrap();
    let split = Split {
        records: summary.records,
        labelled: !classes.is_empty(),
        shards: vec![ShardEntry {
            file: name,
            records: summary.records,
            bytes: summary.bytes,
            index_crc32c: format!("{:08x}", summary.index_crc32c),
            blake3: summary.blake3,
        }],
    };
    let text = || "handmade".to_owned();
    let manifest = Manifest {
        format: Manifest::format_name(),
        version: Manifest::format_version(),
        codec: Codec::Raw,
        jpeg_quality: None,
        height: 2,
        width: 2,
        preprocessing: Preprocessing {
            geometry: text(),
            filter: text(),
            decoder: text(),
            resizer: text(),
            exif: None,
            truncated: None,
        },
        classes: classes
            .iter()
            .map(|name| Class {
                synset: (*name).to_owned(),
                name: (*name).to_owned(),
            })
            .collect(),
        splits: BTreeMap::from([("train".to_owned(), split)]),
        statistics: None,
        source: Source {
            layout: text(),
            images: keys.len() as u64,
        },
        rejects: Rejects::default(),
        seed: 0,
        prep_version: text(),
    };
    fs::write(folder.join("manifest.json"), manifest.to_json()).unwrap();
}

/// Runs the binary.
pub(crate) fn prep(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prep"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs the binary, which must succeed, and gives its standard output.
pub(crate) fn prep_ok(arguments: &[&str]) -> String {
    let output = prep(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
