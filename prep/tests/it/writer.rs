//! Datasets that a program writes sample by sample.

use std::fs;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use proptest::prelude::*;
use shardmill_formats::{ChannelSums, Codec};
use shardmill_prep::{
    DatasetWriter, Image, IngestOptions, OnError, Sample, WriteOptions, WriteSummary, class_list,
    ingest, unfinished,
};

use crate::kit::{
    Fixture, Record, SIDE, assert_sound, files, manifest, prep, records, stated_sums, train_sums,
};

pub(crate) fn options(classes: &[&str], size: u32) -> WriteOptions {
    let mut options = WriteOptions::new(class_list(classes).unwrap());
    (options.size, options.threads) = (size, 2);
    options
}

pub(crate) fn sample(image: Image, label: i64, key: &str) -> Sample {
    Sample {
        image,
        label,
        key: Some(key.to_owned()),
    }
}

/// Pixels that differ from sample to sample.
fn noise(width: u32, height: u32, channels: u8, seed: u32) -> Vec<u8> {
    let bytes = width * height * u32::from(channels);
    let byte = |i: u32| ((i + seed * 7919).wrapping_mul(2_654_435_761) >> 24) as u8;
    (0..bytes).map(byte).collect()
}

pub(crate) fn pixels(width: u32, height: u32, channels: u8, seed: u32) -> Image {
    Image::Pixels {
        width,
        height,
        channels,
        pixels: noise(width, height, channels, seed),
    }
}

/// As a PNG file.
fn encoded(picture: DynamicImage) -> Image {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    Image::Encoded(bytes.into_inner())
}

/// Writes samples of one split, which must succeed.
fn write(
    out: &Path,
    options: WriteOptions,
    samples: impl IntoIterator<Item = Sample>,
) -> WriteSummary {
    let mut writer = DatasetWriter::create(out, options).unwrap();
    for sample in samples {
        writer.push("train", sample).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn the_same_files_give_the_records_of_an_ingest() {
    let fixture = Fixture::new(Codec::Raw);
    for codec in Codec::ALL {
        let ingested = fixture.path(&format!("ingested {codec}"));
        let mut ingest_options = IngestOptions::new(fixture.path("images"), &ingested);
        (ingest_options.codec, ingest_options.size) = (codec, SIDE);
        ingest(&ingest_options).unwrap();
        let expected = records(&ingested);
        let out = fixture.path(&format!("written {codec}"));
        let mut options = options(&["n01", "n02", "n03"], SIDE);
        (options.codec, options.shard_records, options.on_error) = (codec, 7, OnError::Reject);
        let mut writer = DatasetWriter::create(&out, options).unwrap();
        for record in &expected {
            let bytes = fs::read(fixture.path("images").join(&record.key)).unwrap();
            let sample = sample(Image::Encoded(bytes), record.label, &record.key);
            writer.push(&record.split, sample).unwrap();
            if record.key.ends_with("_4.v1.png") {
                let broken = Image::Encoded(b"no image".to_vec());
                let key = format!("{}.broken", record.key);
                writer
                    .push(&record.split, self::sample(broken, 0, &key))
                    .unwrap();
            }
        }
        assert_eq!(writer.samples(), 39);
        let summary = writer.finish().unwrap();
        assert_eq!(records(&out), expected, "{codec}");
        assert_sound(&out);
        let (made, theirs) = (manifest(&out), manifest(&ingested));
        assert_eq!(made, summary.manifest);
        assert_eq!(made.statistics, theirs.statistics);
        assert_eq!(made.classes, theirs.classes);
        assert_eq!(made.preprocessing, theirs.preprocessing);
        assert_eq!(made.jpeg_quality, theirs.jpeg_quality);
        assert_eq!(
            (made.source.layout.as_str(), made.source.images),
            ("samples", 39)
        );
        let sums = |folder: &Path| {
            let mut sums = ChannelSums::default();
            let stated = stated_sums(folder, "train");
            stated.iter().for_each(|stated| sums.merge(stated));
            sums
        };
        assert_eq!(sums(&out), sums(&ingested));
        if codec != Codec::Jpeg {
            assert_eq!(sums(&out), train_sums(&out));
        }
        // Rejects are counted, named and listed as by an ingest.
        assert_eq!((made.rejects.count, summary.rejects.len()), (3, 3));
        assert_eq!(summary.rejects[0].reason, "not-an-image");
        let listed = fs::read_to_string(out.join("rejects.jsonl")).unwrap();
        assert_eq!(listed.lines().count(), 3);
        assert!(
            summary
                .to_json()
                .contains(r#""rejects":{"not-an-image":3}"#)
        );
        let names: Vec<&str> = made.splits["train"]
            .shards
            .iter()
            .map(|s| &*s.file)
            .collect();
        assert_eq!(names.len(), 5);
        assert_eq!(names[4], "train-00004-of-00005.safetensors");
        assert!(!out.join("write.journal").exists());
    }
}

#[test]
fn arrays_of_the_records_size_are_stored_as_they_are_and_others_as_if_decoded() {
    let scratch = tempfile::tempdir().unwrap();
    for codec in [Codec::Raw, Codec::Zstd] {
        let out = scratch.path().join(codec.to_string());
        let mut options = options(&["a"], 20);
        options.codec = codec;
        let summary = write(&out, options, [sample(pixels(20, 20, 3, 1), 0, "x")]);
        assert_eq!(records(&out)[0].rgb, noise(20, 20, 3, 1));
        let made = summary.manifest.preprocessing;
        assert!(
            made.decoder.starts_with("none: samples"),
            "{}",
            made.decoder
        );
        assert!(
            made.resizer.starts_with("none: samples"),
            "{}",
            made.resizer
        );
    }
    let picture = |channels: u8, bytes: Vec<u8>, (width, height): (u32, u32)| match channels {
        1 => DynamicImage::ImageLuma8(image::ImageBuffer::from_raw(width, height, bytes).unwrap()),
        2 => DynamicImage::ImageLumaA8(image::ImageBuffer::from_raw(width, height, bytes).unwrap()),
        3 => DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, bytes).unwrap()),
        _ => DynamicImage::ImageRgba8(image::ImageBuffer::from_raw(width, height, bytes).unwrap()),
    };
    for (number, size) in [(31, 20), (20, 45), (20, 20), (64, 64), (3, 2)]
        .into_iter()
        .enumerate()
    {
        let out = scratch.path().join(format!("shapes {number}"));
        let samples = (1..=4_u8).flat_map(|channels| {
            let bytes = noise(size.0, size.1, channels, 3);
            let file = encoded(picture(channels, bytes, size));
            [
                sample(
                    pixels(size.0, size.1, channels, 3),
                    0,
                    &format!("array-{channels}"),
                ),
                sample(file, 0, &format!("file-{channels}")),
            ]
        });
        let summary = write(&out, options(&["a"], 20), samples);
        let found = records(&out);
        assert_eq!(found.len(), 8);
        for pair in found.chunks(2) {
            assert!(
                pair[0].rgb == pair[1].rgb,
                "{size:?}: {} is not {}",
                pair[0].key,
                pair[1].key
            );
        }
        let decoder = summary.manifest.preprocessing.decoder;
        assert!(
            decoder.contains("; some samples were given as pixels"),
            "{decoder}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_samples_come_out_as_they_went_in_on_any_number_of_threads(
        labels in prop::collection::vec((0..4_i64, 0..3_usize, 1..40_u32, any::<bool>()), 1..60),
        shard_records in 1..9_usize,
        codec in prop::sample::select(Codec::ALL.to_vec()),
    ) {
        let scratch = tempfile::tempdir().unwrap();
        let splits = ["train", "val", "odd-name"];
        let mut outs = Vec::new();
        for threads in [1, 3] {
            let out = scratch.path().join(threads.to_string());
            let mut options = options(&["d", "b", "c", "a"], 8);
            (options.threads, options.shard_records, options.codec) = (threads, shard_records, codec);
            let mut writer = DatasetWriter::create(&out, options).unwrap();
            for (number, &(label, split, side, named)) in labels.iter().enumerate() {
                let key = named.then(|| format!("given/{number}"));
                let image = pixels(side, 8, 3, number as u32);
                writer.push(splits[split], Sample { image, label, key }).unwrap();
            }
            writer.finish().unwrap();
            assert_sound(&out);
            outs.push(out);
        }
        prop_assert!(files(&outs[0]) == files(&outs[1]));
        let found = records(&outs[0]);
        for (at, name) in splits.iter().enumerate() {
            let given: Vec<_> = labels.iter().enumerate().filter(|(_, l)| l.1 == at).collect();
            let found: Vec<&Record> = found.iter().filter(|r| r.split == *name).collect();
            prop_assert_eq!(found.len(), given.len());
            for (i, (found, (number, (label, _, side, named)))) in found.iter().zip(&given).enumerate() {
                prop_assert_eq!(found.label, *label);
                let key = if *named { format!("given/{number}") } else { format!("{name}/{i:08}") };
                prop_assert_eq!(&found.key, &key);
                if *side == 8 && codec != Codec::Jpeg {
                    prop_assert_eq!(&found.rgb, &noise(8, 8, 3, *number as u32));
                }
            }
        }
        let made = manifest(&outs[0]);
        prop_assert_eq!(made.statistics.is_some(), labels.iter().any(|l| l.1 == 0));
        prop_assert_eq!(&*made.classes[0].synset, "0");
        prop_assert_eq!(&*made.classes[0].name, "d");
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_and_one_under_way_is_no_dataset() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    let mut options = options(&["a"], 16);
    options.shard_records = 4;
    let mut writer = DatasetWriter::create(&out, options.clone()).unwrap();
    for number in 0..200 {
        let image = pixels(16, 16, 3, number);
        writer
            .push(
                "train",
                Sample {
                    image,
                    label: 0,
                    key: None,
                },
            )
            .unwrap();
    }
    // Several shards are full by now.
    assert!(fs::read_dir(&out).unwrap().count() > 10);
    assert_eq!(unfinished(&out), Some("write"));
    assert!(!out.join("manifest.json").exists());
    let names = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    for name in names.map(|name| name.into_string().unwrap()) {
        assert!(name.ends_with(".part") || name == "write.journal", "{name}");
    }
    let refused = prep(&["verify", out.to_str().unwrap()]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && words.contains("a program is still writing"),
        "{words}"
    );
    let again = DatasetWriter::create(&out, options.clone()).err().unwrap();
    let words = again.to_string();
    assert!(
        words.contains("did not finish") && words.contains("remove it"),
        "{words}"
    );
    drop(writer);
    assert!(!out.exists());
    // A folder of the user's own stays, without anything in it.
    fs::create_dir(&out).unwrap();
    let mut writer = DatasetWriter::create(&out, options).unwrap();
    let image = pixels(16, 16, 3, 0);
    writer
        .push(
            "train",
            Sample {
                image,
                label: 0,
                key: None,
            },
        )
        .unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn samples_that_came_sorted_are_told_of() {
    let scratch = tempfile::tempdir().unwrap();
    let samples = |of: fn(u32) -> i64| {
        (0..100).map(move |i| sample(pixels(8, 8, 3, i), of(i), &format!("{i}")))
    };
    let sorted = write(
        &scratch.path().join("a"),
        options(&["a", "b"], 8),
        samples(|i| i64::from(i / 50)),
    );
    assert!(sorted.notes[0].contains("split train came sorted by class, 50 of one class"));
    let mixed = write(
        &scratch.path().join("b"),
        options(&["a", "b"], 8),
        samples(|i| i64::from(i % 2)),
    );
    assert!(mixed.notes.is_empty(), "{:?}", mixed.notes);
}
