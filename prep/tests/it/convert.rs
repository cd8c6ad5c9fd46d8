use std::fs;

use shardmill_formats::Codec;
use shardmill_prep::dataset::{ConvertOptions, convert};
use shardmill_prep::{IngestOptions, PrepError, ingest};

use crate::kit::{
    Fixture, SIDE, assert_sound, damage, files, manifest, prep_ok, records, stated_sums, train_sums,
};

#[test]
fn lossless_there_and_back_gives_the_same_records_and_statistics() {
    let fixture = Fixture::new(Codec::Raw);
    let (zstd, raw) = (fixture.path("zstd"), fixture.path("raw"));
    convert(&ConvertOptions::new(fixture.shards(), &zstd, Codec::Zstd)).unwrap();
    convert(&ConvertOptions::new(&zstd, &raw, Codec::Raw)).unwrap();
    assert_eq!(records(&fixture.shards()), records(&raw));
    for folder in [&zstd, &raw] {
        assert_sound(folder);
        let (before, after) = (manifest(&fixture.shards()), manifest(folder));
        assert_eq!(before.statistics, after.statistics);
        assert_eq!(before.classes, after.classes);
        assert_eq!(before.rejects, after.rejects);
        assert_eq!(
            fs::read(fixture.shards().join("rejects.jsonl")).unwrap(),
            fs::read(folder.join("rejects.jsonl")).unwrap()
        );
        for split in ["train", "val"] {
            assert_eq!(
                stated_sums(&fixture.shards(), split),
                stated_sums(folder, split)
            );
        }
    }
}

#[test]
fn raw_to_jpeg_is_what_an_ingest_to_jpeg_is() {
    let fixture = Fixture::new(Codec::Raw);
    let (converted, ingested) = (fixture.path("converted"), fixture.path("ingested"));
    let text = prep_ok(&[
        "convert",
        fixture.shards().to_str().unwrap(),
        "--codec",
        "jpeg",
        "--quality",
        "80",
        "--out",
        converted.to_str().unwrap(),
        "--json",
    ]);
    assert!(text.contains(r#""train":30"#), "{text}");
    let mut options = IngestOptions::new(fixture.path("images"), &ingested);
    (options.codec, options.quality) = (Codec::Jpeg, 80);
    (options.size, options.shard_records) = (SIDE, 8);
    ingest(&options).unwrap();
    assert_eq!(records(&converted), records(&ingested));
    assert_sound(&converted);
    let (converted, ingested) = (manifest(&converted), manifest(&ingested));
    assert_eq!(converted.statistics, ingested.statistics);
    assert_eq!(converted.jpeg_quality, Some(80));
}

#[test]
fn statistics_from_jpeg_are_those_of_the_decoded_pixels() {
    let fixture = Fixture::new(Codec::Jpeg);
    let out = fixture.path("raw");
    let converted = convert(&ConvertOptions::new(fixture.shards(), &out, Codec::Raw))
        .unwrap()
        .manifest;
    let pixels = |folder: &std::path::Path| {
        let records = records(folder).into_iter();
        records
            .map(|record| (record.key, record.rgb))
            .collect::<Vec<_>>()
    };
    assert_eq!(pixels(&fixture.shards()), pixels(&out));
    let statistics = converted.statistics.unwrap();
    assert_eq!(Some(statistics.statistics), train_sums(&out).statistics());
    assert_ne!(Some(statistics), manifest(&fixture.shards()).statistics);
    assert_eq!(converted.jpeg_quality, None);
}

#[test]
fn threads_change_no_byte() {
    let fixture = Fixture::new(Codec::Zstd);
    let outs = [1, 3].map(|threads| {
        let mut options = ConvertOptions::new(
            fixture.shards(),
            fixture.path(&format!("{threads}")),
            Codec::Jpeg,
        );
        options.threads = threads;
        convert(&options).unwrap();
        files(&options.out)
    });
    assert_eq!(outs[0], outs[1]);
}

#[test]
fn damage_is_named_and_nothing_is_left_behind() {
    let fixture = Fixture::new(Codec::Jpeg);
    damage(&fixture.shards());
    let out = fixture.path("out");
    let error = convert(&ConvertOptions::new(fixture.shards(), &out, Codec::Raw)).unwrap_err();
    assert!(matches!(error, PrepError::Shard { .. }));
    assert!(error.to_string().contains("train-00000-of-"), "{error}");
    assert!(!out.exists());
}

#[test]
fn a_used_folder_and_a_bad_quality_are_refused() {
    let fixture = Fixture::new(Codec::Raw);
    let mut options = ConvertOptions::new(fixture.shards(), fixture.shards(), Codec::Jpeg);
    assert!(matches!(
        convert(&options),
        Err(PrepError::OtherResult { .. })
    ));
    options.out = fixture.path("out");
    options.quality = 0;
    assert!(convert(&options).is_err());
    assert!(!options.out.exists());
}
