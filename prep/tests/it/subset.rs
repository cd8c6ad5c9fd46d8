use std::collections::BTreeMap;
use std::fs;

use shardmill_formats::{ChannelSums, Codec};
use shardmill_prep::PrepError;
use shardmill_prep::dataset::{SubsetOptions, subset};

use crate::kit::{
    Fixture, Record, assert_sound, damage, files, handmade, manifest, prep, prep_ok, records,
    stated_sums, train_sums,
};

/// Records of each split and label.
fn counts(records: &[Record]) -> BTreeMap<(String, i64), usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts
            .entry((record.split.clone(), record.label))
            .or_default() += 1;
    }
    counts
}

#[test]
fn kept_classes_are_renumbered_and_records_stay_as_they_are() {
    for codec in Codec::ALL {
        let fixture = Fixture::new(codec);
        let mut options = SubsetOptions::new(fixture.shards(), fixture.path("part"));
        options.classes = Some(vec!["n03".to_owned(), "n02".to_owned()]);
        let part = subset(&options).unwrap().manifest;
        assert_sound(&options.out);
        let synsets: Vec<_> = part
            .classes
            .iter()
            .map(|class| class.synset.as_str())
            .collect();
        assert_eq!(synsets, ["n02", "n03"]);
        let before = records(&fixture.shards())
            .into_iter()
            .filter(|record| record.label > 0);
        let before: Vec<Record> = before
            .map(|record| Record {
                label: record.label - 1,
                ..record
            })
            .collect();
        assert_eq!(records(&options.out), before, "{codec}");
        let statistics = part.statistics.unwrap().statistics;
        assert_eq!(Some(statistics), train_sums(&options.out).statistics());
        assert_eq!(part.source.images, 24);
        let stated = stated_sums(&options.out, "train");
        let mut total = ChannelSums::default();
        stated.iter().for_each(|sums| total.merge(sums));
        assert_eq!(total, train_sums(&options.out));
        let validation = stated_sums(&options.out, "val")[0];
        assert_eq!(validation == ChannelSums::default(), codec != Codec::Raw);
    }
}

#[test]
fn shares_and_limits_hold_for_each_class_of_each_split() {
    let fixture = Fixture::new(Codec::Raw);
    let counts_of = |name: &str, fraction, per_class, seed| {
        let mut options = SubsetOptions::new(fixture.shards(), fixture.path(name));
        (options.fraction, options.per_class, options.seed) = (fraction, per_class, seed);
        subset(&options).unwrap();
        assert_sound(&options.out);
        let records = records(&options.out);
        let keys: Vec<String> = records.iter().map(|record| record.key.clone()).collect();
        (counts(&records), keys)
    };
    let expected = |train: usize, val: usize| {
        let of = |split: &'static str, count| {
            (0..3).map(move |label| ((split.to_owned(), label), count))
        };
        of("train", train)
            .chain(of("val", val))
            .collect::<BTreeMap<_, _>>()
    };
    let (half, keys) = counts_of("half", 0.5, None, 0);
    assert_eq!(half, expected(5, 1));
    assert_eq!(counts_of("few", 1.0, Some(3), 0).0, expected(3, 2));
    assert_eq!(counts_of("both", 0.8, Some(9), 0).0, expected(8, 2));
    assert_eq!(counts_of("tiny", 0.001, None, 0).0, expected(1, 1));
    let (_, others) = counts_of("seeded", 0.5, None, 1);
    assert_ne!(keys, others, "the seed chooses");
    let order: Vec<String> = records(&fixture.shards())
        .into_iter()
        .map(|record| record.key)
        .collect();
    let places = |keys: &[String]| {
        keys.iter()
            .map(|key| order.iter().position(|k| k == key))
            .collect::<Vec<_>>()
    };
    assert!(places(&keys).is_sorted(), "records keep their order");
}

#[test]
fn a_name_keeps_every_class_that_it_is_a_synonym_of() {
    let fixture = Fixture::new(Codec::Raw);
    let mut renamed = manifest(&fixture.shards());
    for (class, name) in
        renamed
            .classes
            .iter_mut()
            .zip(["tench, Tinca tinca", "crane", "lifter, crane"])
    {
        class.name = name.to_owned();
    }
    fs::write(fixture.shards().join("manifest.json"), renamed.to_json()).unwrap();
    for (word, kept) in [
        ("crane", &["n02", "n03"][..]),
        ("Tinca tinca", &["n01"]),
        ("lifter, crane", &["n03"]),
    ] {
        let mut options = SubsetOptions::new(fixture.shards(), fixture.path(word));
        options.classes = Some(vec![word.to_owned()]);
        let classes = subset(&options).unwrap().manifest.classes;
        assert_eq!(
            classes
                .iter()
                .map(|class| class.synset.as_str())
                .collect::<Vec<_>>(),
            kept
        );
    }
}

#[test]
fn threads_change_no_byte() {
    let fixture = Fixture::new(Codec::Jpeg);
    let outs = [1, 4].map(|threads| {
        let mut options = SubsetOptions::new(fixture.shards(), fixture.path(&format!("{threads}")));
        (options.threads, options.fraction) = (threads, 0.7);
        subset(&options).unwrap();
        files(&options.out)
    });
    assert_eq!(outs[0], outs[1]);
}

#[test]
fn splits_without_labels_can_be_thinned() {
    let fixture = Fixture::new(Codec::Raw);
    let source = fixture.path("handmade");
    handmade(&source, &[], &["a", "b", "c", "d"]);
    let mut options = SubsetOptions::new(&source, fixture.path("part"));
    options.fraction = 0.5;
    let part = subset(&options).unwrap().manifest;
    assert!(!part.splits["train"].labelled);
    assert_eq!(
        counts(&records(&options.out)),
        BTreeMap::from([(("train".to_owned(), -1), 2)])
    );
}

#[test]
fn unknown_classes_and_senseless_shares_are_refused() {
    let fixture = Fixture::new(Codec::Raw);
    let mut options = SubsetOptions::new(fixture.shards(), fixture.path("part"));
    options.classes = Some(vec!["n04".to_owned()]);
    let error = subset(&options).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"there is no class "n04"; the nearest: "n01", "n02", "n03""#
    );
    options.classes = None;
    for fraction in [0.0, -1.0, 1.1, f64::NAN] {
        options.fraction = fraction;
        assert!(matches!(subset(&options), Err(PrepError::Option { .. })));
    }
    assert!(!options.out.exists());
}

#[test]
fn a_damaged_record_stops_the_copy() {
    let fixture = Fixture::new(Codec::Zstd);
    damage(&fixture.shards());
    let options = SubsetOptions::new(fixture.shards(), fixture.path("part"));
    assert!(matches!(subset(&options), Err(PrepError::Shard { .. })));
    assert!(!options.out.exists());
}

#[test]
fn the_program_takes_a_list_or_a_file_of_classes() {
    let fixture = Fixture::new(Codec::Raw);
    let file = fixture.path("classes.txt");
    fs::write(&file, "n01\n\n n03\n").unwrap();
    let shards = fixture.shards();
    let parts = ["n03,n01", file.to_str().unwrap()].map(|classes| {
        let out = fixture.path(if classes.contains(',') {
            "list"
        } else {
            "file"
        });
        let text = prep_ok(&[
            "subset",
            shards.to_str().unwrap(),
            "--classes",
            classes,
            "--out",
            out.to_str().unwrap(),
        ]);
        assert!(text.contains("2 classes, codec raw"), "{text}");
        assert_eq!(manifest(&out).classes.len(), 2);
        files(&out)
    });
    assert_eq!(parts[0], parts[1]);
    let failed = prep(&[
        "subset",
        shards.to_str().unwrap(),
        "--classes",
        ",",
        "--out",
        "unused",
    ]);
    assert_eq!(failed.status.code(), Some(1));
}
