use super::*;

fn example() -> Manifest {
    Manifest {
        format: Manifest::format_name(),
        version: Manifest::format_version(),
        codec: Codec::Jpeg,
        jpeg_quality: Some(90),
        height: 256,
        width: 256,
        preprocessing: Preprocessing {
            geometry: "short-side-center-crop".to_owned(),
            filter: "bilinear-antialiased".to_owned(),
            decoder: "d 1".to_owned(),
            resizer: "r 1".to_owned(),
            exif: None,
            truncated: None,
        },
        classes: ["a", "b"]
            .map(|s| Class {
                synset: s.to_owned(),
                name: s.to_uppercase(),
            })
            .to_vec(),
        splits: BTreeMap::from([(
            "train".to_owned(),
            Split {
                records: 5,
                labelled: true,
                shards: [(0, 2), (1, 3)]
                    .map(|(shard, records)| entry(shard, records))
                    .to_vec(),
            },
        )]),
        statistics: Some(SplitStatistics {
            split: "train".to_owned(),
            pixels: 9,
            statistics: Statistics {
                mean: [0.1 + 0.2, 1.0 / 3.0, 2e-17],
                std: [1.0; 3],
                eigenvalues: [3.0, 2.0, 1.0],
                eigenvectors: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            },
        }),
        source: Source {
            layout: "class-folders".to_owned(),
            images: 6,
        },
        rejects: Rejects {
            count: 1,
            file: Some("rejects.jsonl".to_owned()),
        },
        seed: u64::MAX,
        prep_version: "0.1.0".to_owned(),
    }
}

fn entry(shard: usize, records: u64) -> ShardEntry {
    ShardEntry {
        file: shard_file_name("train", shard, 2),
        records,
        bytes: 10,
        index_crc32c: "0123abcd".to_owned(),
        blake3: "0".repeat(64),
    }
}

#[test]
fn a_manifest_survives_its_json_to_the_bit() {
    let manifest = example();
    let parsed = Manifest::parse(manifest.to_json().as_bytes()).unwrap();
    assert_eq!(parsed, manifest);
    assert_eq!(parsed.to_json(), manifest.to_json());
    assert_eq!(
        parsed.splits["train"].shards[0].index_checksum(),
        0x0123_abcd
    );
}

#[test]
fn keys_of_a_later_minor_version_are_ignored() {
    let json = example()
        .to_json()
        .replacen("{\n", "{\n  \"later\": [1],\n", 1)
        .replace("\"1.0\"", "\"1.7\"");
    assert_eq!(Manifest::parse(json.as_bytes()).unwrap().version, "1.7");
}

#[test]
fn another_major_version_is_refused_even_with_other_keys() {
    let error = Manifest::parse(br#"{"format":"shardmill","version":"2.0"}"#).unwrap_err();
    assert!(error.to_string().contains("version 2.0"), "{error}");
    assert!(Manifest::parse(br#"{"format":"shardmill","version":"one"}"#).is_err());
}

#[test]
fn every_contradiction_is_refused() {
    type Change = fn(&mut Manifest);
    let cases: [(&str, Change); 15] = [
        ("format", |m| m.format = "tfrecord".to_owned()),
        ("height", |m| m.height = 0),
        ("height", |m| m.width = 8193),
        ("classes", |m| m.classes.swap(0, 1)),
        ("classes", |m| m.classes[1].synset = "a".to_owned()),
        ("records", |m| {
            m.splits.get_mut("train").unwrap().records = 6
        }),
        ("records", |m| {
            m.splits.get_mut("train").unwrap().shards[0].records = 0
        }),
        ("file", |m| {
            m.splits.get_mut("train").unwrap().shards[0].file = "../train-0".to_owned()
        }),
        ("file", |m| {
            m.splits.get_mut("train").unwrap().shards[0].file =
                "val-00000-of-00002.safetensors".to_owned()
        }),
        ("file", |m| {
            m.splits.get_mut("train").unwrap().shards.swap(0, 1)
        }),
        ("index_crc32c", |m| {
            m.splits.get_mut("train").unwrap().shards[0].index_crc32c = "123".to_owned()
        }),
        ("blake3", |m| {
            m.splits.get_mut("train").unwrap().shards[0].blake3 = "g".repeat(64)
        }),
        ("statistics", |m| {
            m.statistics.as_mut().unwrap().split = "test".to_owned()
        }),
        ("statistics", |m| {
            m.statistics.as_mut().unwrap().statistics.std[1] = -1.0
        }),
        ("rejects", |m| {
            m.rejects.file = Some("/etc/passwd".to_owned())
        }),
    ];
    for (word, change) in cases {
        let mut manifest = example();
        change(&mut manifest);
        let error = Manifest::parse(manifest.to_json().as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn truncated_manifests_are_refused() {
    let json = example().to_json();
    for len in 0..json.len() - 2 {
        assert!(
            Manifest::parse(&json.as_bytes()[..len]).is_err(),
            "cut to {len}"
        );
    }
}

#[test]
fn a_file_is_read_no_further_than_a_manifest_may_go() {
    struct Counted(u64);
    impl Read for Counted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b' ');
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }
    let mut endless = Counted(0);
    let error = Manifest::read(&mut endless).unwrap_err();
    assert!(matches!(error, ManifestError::TooLong), "{error}");
    assert!(endless.0 <= MANIFEST_LIMIT as u64 + 1, "{}", endless.0);
    let json = example().to_json();
    assert_eq!(Manifest::read(json.as_bytes()).unwrap(), example());
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable is out"))
        }
    }
    let error = Manifest::read(Broken).unwrap_err();
    let text = crate::Causes(&error).to_string();
    assert_eq!(text, "it cannot be read: the cable is out");
}
