//! What a writer of datasets refuses, and in which words.

use shardmill_formats::Codec;
use shardmill_prep::{DatasetWriter, Image, OnError, PrepError, Sample, WriteOptions};

use crate::kit::{Fixture, assert_sound, files};
use crate::writer::{options, pixels, sample};

#[test]
fn a_folder_that_holds_something_is_refused_and_stays() {
    let fixture = Fixture::new(Codec::Raw);
    let before = files(&fixture.shards());
    for (folder, words) in [
        ("shards", "holds a dataset already"),
        ("images", "is not empty"),
    ] {
        let error = DatasetWriter::create(fixture.path(folder), options(&["a"], 8))
            .err()
            .unwrap();
        assert!(matches!(error, PrepError::Occupied { .. }));
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains("give a new folder"),
            "{text}"
        );
    }
    assert_eq!(files(&fixture.shards()), before);
}

#[test]
fn what_cannot_be_a_sample_is_refused_by_name_and_the_writer_goes_on() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    let mut writer = DatasetWriter::create(&out, options(&["a", "b"], 8)).unwrap();
    let fine = |key: &str, label| sample(pixels(8, 8, 3, 1), label, key);
    writer.push("train", fine("first", 1)).unwrap();
    let short = Image::Pixels {
        width: 8,
        height: 8,
        channels: 3,
        pixels: vec![0; 191],
    };
    let five = Image::Pixels {
        width: 1,
        height: 1,
        channels: 5,
        pixels: vec![0; 5],
    };
    let none = Image::Pixels {
        width: 0,
        height: 8,
        channels: 3,
        pixels: Vec::new(),
    };
    for (split, wrong, words) in [
        (
            "train",
            fine("x", 2),
            "label 2 is not one of the 2 classes: give 0 to 1",
        ),
        ("train", fine("x", -2), "label -2"),
        (
            "train",
            fine("x", -1),
            "it has no label and the samples before it have labels",
        ),
        ("train", fine("first", 0), "same key"),
        ("val", fine("first", 0), "same key"),
        ("train", fine("", 0), "it is empty"),
        ("train", fine("../x", 0), "the key cannot be one"),
        (
            "train",
            fine(&"x".repeat(5000), 0),
            "longer than 4096 bytes",
        ),
        ("train", sample(short, 0, "x"), "have 192 bytes, not 191"),
        (
            "train",
            sample(five, 0, "x"),
            "pixels of 5 channels: give 1 (grey)",
        ),
        ("train", sample(none, 0, "x"), "0x8 pixels are no picture"),
    ] {
        let key = wrong.key.clone().unwrap();
        let error = writer.push(split, wrong).unwrap_err();
        assert!(matches!(error, PrepError::Sample { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains(&format!("{key:?}")),
            "{text}"
        );
    }
    for split in ["", "a/b", ".x", "ä"] {
        let text = writer.push(split, fine("x", 0)).unwrap_err().to_string();
        assert!(text.contains("letters, digits"), "{text}");
    }
    writer.push("train", fine("x", 0)).unwrap();
    writer.push("test", fine("y", -1)).unwrap();
    let text = writer.push("test", fine("z", 0)).unwrap_err().to_string();
    assert!(text.contains("it has a label"), "{text}");
    let made = writer.finish().unwrap().manifest;
    assert_eq!((made.source.images, made.splits["train"].records), (3, 2));
    assert!(made.splits["train"].labelled && !made.splits["test"].labelled);
    assert_sound(&out);
}

#[test]
fn an_image_that_cannot_be_used_stops_the_writer_by_name_unless_it_is_told_to_go_on() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    let broken = || sample(Image::Encoded(b"no image".to_vec()), 0, "the/broken.png");
    let mut writer = DatasetWriter::create(&out, options(&["a"], 8)).unwrap();
    writer
        .push("train", sample(pixels(8, 8, 3, 1), 0, "x"))
        .unwrap();
    // The error comes at once if the sample is decoded by then.
    let pushed = writer.push("train", broken());
    let refused = pushed.and_then(|()| writer.finish()).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("\"the/broken.png\"") && text.contains("not-an-image"),
        "{text}"
    );
    assert!(!out.exists());
    // In a long stream the error comes while samples are pushed, and no more are taken.
    let mut writer = DatasetWriter::create(&out, options(&["a"], 8)).unwrap();
    let refused = (0..100_000).find_map(|number| {
        let more = Sample {
            image: pixels(8, 8, 3, number),
            label: 0,
            key: None,
        };
        let next = if number == 0 { broken() } else { more };
        writer.push("train", next).err()
    });
    assert!(
        matches!(refused, Some(PrepError::Sample { .. })),
        "{refused:?}"
    );
    let more = Sample {
        image: pixels(8, 8, 3, 0),
        label: 0,
        key: None,
    };
    assert!(matches!(
        writer.push("train", more),
        Err(PrepError::WriterStopped)
    ));
    assert!(matches!(writer.finish(), Err(PrepError::WriterStopped)));
    assert!(!out.exists());
    let mut rejecting = options(&["a"], 8);
    rejecting.on_error = OnError::Reject;
    let mut writer = DatasetWriter::create(&out, rejecting).unwrap();
    writer.push("train", broken()).unwrap();
    let text = writer.finish().unwrap_err().to_string();
    assert!(
        text.contains("none of the 1 images") && text.contains("the/broken.png"),
        "{text}"
    );
    assert!(!out.exists());
    let writer = DatasetWriter::create(&out, options(&["a"], 8)).unwrap();
    assert!(matches!(writer.finish(), Err(PrepError::NothingLeft(_))));
    assert!(!out.exists());
}

#[test]
fn options_and_classes_without_meaning_are_refused_before_anything_is_made() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    let with = |change: fn(&mut WriteOptions)| {
        let mut options = options(&["a", "b"], 8);
        change(&mut options);
        DatasetWriter::create(&out, options)
            .err()
            .unwrap()
            .to_string()
    };
    assert!(with(|o| o.size = 0).contains("size 0"));
    assert!(with(|o| o.quality = 101).contains("quality 101"));
    assert!(with(|o| o.shard_records = 0).contains("shard-records 0"));
    let text = with(|o| o.classes.swap(0, 1));
    assert!(text.contains("sorted by synset"), "{text}");
    assert!(with(|o| o.classes[1] = o.classes[0].clone()).contains("each once"));
    assert!(!out.exists());
    let no_classes = options(&[], 8);
    let mut writer = DatasetWriter::create(&out, no_classes).unwrap();
    let image = pixels(8, 8, 3, 0);
    let text = writer
        .push("train", sample(image, 0, "x"))
        .unwrap_err()
        .to_string();
    assert!(text.contains("has no classes: give their names"), "{text}");
}
