//! Every way in which a shard can be wrong is refused, each by a test named after it.

use std::io::Cursor;

use proptest::prelude::*;
use shardmill_formats::{
    ChannelSums, Codec, EncodeOptions, Encoder, RecordShape, ShardError, ShardIndex, ShardMetadata,
    ShardWriter,
};

const RECORDS: usize = 4;
const SHAPE: RecordShape = RecordShape {
    height: 5,
    width: 3,
};

fn metadata(codec: Codec) -> ShardMetadata {
    ShardMetadata {
        codec,
        shape: SHAPE,
        split: "train".to_owned(),
        shard: 2,
        shards: 7,
        classes: 10,
        fingerprint: "f00d".to_owned(),
        sums: ChannelSums::default(),
    }
}

fn shard(codec: Codec) -> (Vec<u8>, u32) {
    let mut sums = ChannelSums::default();
    let mut writer = ShardWriter::new(Cursor::new(Vec::new()), metadata(codec)).unwrap();
    let mut encoder = Encoder::new(codec, SHAPE, EncodeOptions::default()).unwrap();
    let mut stored = Vec::new();
    for i in 0..RECORDS {
        let rgb: Vec<u8> = (0..SHAPE.bytes()).map(|j| (i * 31 + j * 5) as u8).collect();
        sums.add_image(&rgb);
        encoder.encode(&rgb, &mut stored).unwrap();
        writer
            .append(&format!("train/class/{i}.JPEG"), i as i64 * 3, &stored)
            .unwrap();
    }
    let (file, summary) = writer.finish(&sums).unwrap();
    let file = file.into_inner();
    assert_eq!(summary.bytes, file.len() as u64);
    assert_eq!(summary.blake3, blake3::hash(&file).to_hex().to_string());
    (file, summary.index_crc32c)
}

/// The shard with `from` replaced by `to` in its header, which keeps its length.
fn with_header(codec: Codec, from: &str, to: &str) -> Vec<u8> {
    let (file, _) = shard(codec);
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&file[8..8 + length]).unwrap();
    assert!(
        header.contains(from),
        "{from:?} is not in {}",
        header.trim_end()
    );
    let mut header = header.trim_end().replacen(from, to, 1).into_bytes();
    header.resize(length, b' ');
    [&file[..8], &header, &file[8 + length..]].concat()
}

/// The shard with the `i`-th word of tensor `name` replaced.
fn with_word(codec: Codec, name: &str, i: usize, value: i64) -> Vec<u8> {
    let (mut file, _) = shard(codec);
    let at = tensor_start(&file, name) + 8 * i;
    file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    file
}

fn tensor_start(file: &[u8], name: &str) -> usize {
    let (length, header) = safetensors::SafeTensors::read_metadata(file).unwrap();
    8 + length + header.info(name).unwrap().data_offsets.0
}

fn refused(file: &[u8]) -> ShardError {
    ShardIndex::parse(file).expect_err("a damaged shard was accepted")
}

#[test]
fn the_stock_reader_opens_what_we_write_and_sees_the_same() {
    for codec in Codec::ALL {
        let (file, crc) = shard(codec);
        let index = ShardIndex::parse(&file).unwrap();
        let stock = safetensors::SafeTensors::deserialize(&file).unwrap();
        index.verify_index(&file, crc).unwrap();
        assert_eq!(
            (index.len(), index.metadata().shard, index.shape()),
            (RECORDS, 2, SHAPE)
        );
        let data = stock
            .tensor(if codec == Codec::Raw {
                "images"
            } else {
                "records"
            })
            .unwrap();
        for i in 0..RECORDS {
            index.verify_record(&file, i).unwrap();
            let range = index.record_range(&file, i);
            let start = range.start - index.record_range(&file, 0).start;
            assert_eq!(
                index.record(&file, i),
                &data.data()[start..start + range.len()]
            );
            assert_eq!(index.key(&file, i), format!("train/class/{i}.JPEG"));
            assert_eq!(index.label(&file, i), i as i64 * 3);
        }
        assert_eq!(index.record_range(&file, 0).start % 4096, 0);
        let labels = stock.tensor("labels").unwrap();
        assert_eq!(
            (labels.shape(), labels.data().as_ptr() as usize % 8),
            (&[RECORDS][..], file.as_ptr() as usize % 8)
        );
    }
}

#[test]
fn truncation_anywhere_and_a_byte_too_many() {
    for codec in Codec::ALL {
        let (file, _) = shard(codec);
        for len in 0..file.len() {
            refused(&file[..len]);
        }
        refused(&[&file[..], &[0]].concat());
    }
}

#[test]
fn header_length_that_lies() {
    let (file, _) = shard(Codec::Zstd);
    let length = u64::from_le_bytes(file[..8].try_into().unwrap());
    for lie in [
        0,
        1,
        length - 1,
        length + 1,
        length + 4096,
        1 << 20,
        (1 << 20) + 1,
        u64::MAX - 7,
        u64::MAX,
    ] {
        let mut file = file.clone();
        file[..8].copy_from_slice(&lie.to_le_bytes());
        refused(&file);
    }
}

#[test]
fn overlapping_tensors_and_gaps() {
    // labels begin behind 180 bytes of pixels and 4 of padding.
    assert!(matches!(
        refused(&with_header(Codec::Raw, "[184,216]", "[176,208]")),
        ShardError::Tensor { .. }
    ));
    assert!(matches!(
        refused(&with_header(Codec::Raw, "[184,216]", "[192,224]")),
        ShardError::Tensor { .. }
    ));
    assert!(matches!(
        refused(&with_header(Codec::Raw, "[184,216]", "[216,184]")),
        ShardError::Tensor { .. }
    ));
    let huge = "[18446744073709551608,18446744073709551615]";
    refused(&with_header(Codec::Raw, "[184,216]", huge));
}

#[test]
fn missing_tensors() {
    for name in ["images", "labels", "checksums", "keys", "key_offsets"] {
        let file = with_header(Codec::Raw, &format!("\"{name}\":"), "\"elsewhere\":");
        assert!(
            matches!(refused(&file), ShardError::MissingTensor { name: found } if found == name),
            "{name}"
        );
    }
    for name in ["records", "offsets"] {
        let file = with_header(Codec::Jpeg, &format!("\"{name}\":"), "\"elsewhere\":");
        assert!(
            matches!(refused(&file), ShardError::MissingTensor { name: found } if found == name),
            "{name}"
        );
    }
}

#[test]
fn repeated_names() {
    assert!(matches!(
        refused(&with_header(Codec::Raw, "\"pad\":", "\"keys\":")),
        ShardError::Header(_)
    ));
    assert!(matches!(
        refused(&with_header(Codec::Raw, "\"split\":", "\"codec\":")),
        ShardError::Metadata { .. }
    ));
}

#[test]
fn wrong_dtypes_and_shapes() {
    let images = r#""images":{"data_offsets":[0,180],"dtype":"U8","shape":[4,5,3,3]"#;
    let labels = r#""labels":{"data_offsets":[184,216],"dtype":"I64","shape":[4]"#;
    let checksums = r#""checksums":{"data_offsets":[256,272],"dtype":"U32","shape":[4]"#;
    let key_offsets = r#""key_offsets":{"data_offsets":[216,256],"dtype":"I64","shape":[5]"#;
    for (header, from, to) in [
        (images, "[4,5,3,3]", "[4,3,5,3]"),
        (images, "[4,5,3,3]", "[180]"),
        (images, "U8", "F32"),
        (images, "U8", "U32"),
        (labels, "\"I64\",\"shape\":[4]", "\"U8\",\"shape\":[32]"),
        (labels, "[4]", "[2,2]"),
        (labels, "[4]", "[]"),
        (labels, "[4]", "[-4]"),
        (labels, "[4]", "[18446744073709551615]"),
        (checksums, "\"U32\",\"shape\":[4]", "\"I64\",\"shape\":[2]"),
        (
            key_offsets,
            "\"I64\",\"shape\":[5]",
            "\"U32\",\"shape\":[10]",
        ),
    ] {
        refused(&with_header(
            Codec::Raw,
            header,
            &header.replacen(from, to, 1),
        ));
    }
}

#[test]
fn metadata_that_is_missing_or_has_no_meaning() {
    for (from, to) in [
        ("\"format\":\"shardmill\"", "\"format\":\"other\""),
        ("\"format\":", "\"other\":"),
        ("\"codec\":\"raw\"", "\"codec\":\"gif\""),
        ("\"codec\":\"raw\"", "\"codec\":\"jpeg\""),
        ("\"height\":\"5\"", "\"height\":\"0\""),
        ("\"height\":\"5\"", "\"height\":\"6\""),
        ("\"width\":\"3\"", "\"width\":\"99999\""),
        ("\"shard\":\"2\"", "\"shard\":\"7\""),
        ("\"sums\":\"60 ", "\"sums\":\"60  "),
        ("\"fingerprint\":", "\"other\":"),
    ] {
        refused(&with_header(Codec::Raw, from, to));
    }
}

#[test]
fn unknown_versions() {
    for version in ["2.0", "0.9", "1", "x.y", ""] {
        let file = with_header(
            Codec::Raw,
            "\"version\":\"1.0\"",
            &format!("\"version\":\"{version}\""),
        );
        assert!(
            matches!(refused(&file), ShardError::Version { .. }),
            "{version:?}"
        );
    }
    ShardIndex::parse(&with_header(
        Codec::Raw,
        "\"version\":\"1.0\"",
        "\"version\":\"1.9\"",
    ))
    .unwrap();
}

#[test]
fn offsets_that_do_not_rise() {
    for (i, value) in [
        (0, 1),
        (1, 0),
        (1, -5),
        (1, i64::MAX),
        (2, 1),
        (RECORDS, 1),
        (RECORDS, i64::MIN),
    ] {
        for name in ["offsets", "key_offsets"] {
            let error = refused(&with_word(Codec::Zstd, name, i, value));
            assert!(
                matches!(error, ShardError::Offsets { name: found, .. } if found == name),
                "{name} {i}: {error}"
            );
        }
    }
}

#[test]
fn labels_out_of_range() {
    for value in [10, -2, i64::MAX, i64::MIN, -1] {
        let error = refused(&with_word(Codec::Raw, "labels", 3, value));
        assert!(
            matches!(error, ShardError::Label { record: 3, label, .. } if label == value),
            "{error}"
        );
    }
}

#[test]
fn keys_that_leave_the_folder() {
    let (mut file, _) = shard(Codec::Raw);
    let at = tensor_start(&file, "keys");
    file[at..at + 6].copy_from_slice(b"../../");
    assert!(matches!(refused(&file), ShardError::Key { record: 0, .. }));
    file[at..at + 6].copy_from_slice(b"train\xff");
    assert!(matches!(refused(&file), ShardError::Key { record: 0, .. }));
}

#[test]
fn any_flipped_bit_is_found_and_named() {
    for codec in Codec::ALL {
        let (file, crc) = shard(codec);
        let index = ShardIndex::parse(&file).unwrap();
        let data = index.record_range(&file, 0).start..index.record_range(&file, RECORDS - 1).end;
        for at in (0..file.len()).step_by(3).chain(data.clone()) {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            if data.contains(&at) {
                let record = (0..RECORDS)
                    .find(|&i| index.record_range(&file, i).contains(&at))
                    .unwrap();
                let index = ShardIndex::parse(&damaged).unwrap();
                let error = index
                    .verify_record(&damaged, record)
                    .unwrap_err()
                    .to_string();
                assert!(
                    error.contains(&format!("train/class/{record}.JPEG")),
                    "{error}"
                );
            } else {
                let seen =
                    ShardIndex::parse(&damaged).and_then(|index| index.verify_index(&damaged, crc));
                assert!(
                    seen.is_err(),
                    "{codec}: a bit flipped at {at} went unnoticed"
                );
            }
        }
    }
}

#[test]
fn the_writer_refuses_what_no_reader_accepts() {
    let mut writer = ShardWriter::new(Cursor::new(Vec::new()), metadata(Codec::Raw)).unwrap();
    let record = [0; 45];
    assert!(writer.append("../x", 0, &record).is_err());
    assert!(writer.append("x", 10, &record).is_err());
    assert!(writer.append("x", -2, &record).is_err());
    assert!(writer.append("x", 0, &record[1..]).is_err());
    assert!(writer.is_empty());
    writer.append("x", 0, &record).unwrap();
    assert!(
        writer.append("y", -1, &record).is_err(),
        "labelled and unlabelled records do not mix"
    );
    let empty = ShardWriter::new(Cursor::new(Vec::new()), metadata(Codec::Raw)).unwrap();
    assert!(empty.finish(&ChannelSums::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        prop_assert!(ShardIndex::parse(&bytes).is_err());
    }

    #[test]
    fn arbitrary_headers_never_panic(json in "[\\{\\}\\[\\]\",:0-9a-zA-Z_ ]{0,400}") {
        let mut file = 4088_u64.to_le_bytes().to_vec();
        file.extend_from_slice(json.as_bytes());
        file.resize(4096, b' ');
        prop_assert!(ShardIndex::parse(&file).is_err());
    }

    #[test]
    fn arbitrary_damage_never_panics(
        codec in prop::sample::select(Codec::ALL.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let (mut file, _) = shard(codec);
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Ok(index) = ShardIndex::parse(&file) {
            for i in 0..index.len() {
                let _ = (index.verify_record(&file, i), index.label(&file, i), index.key(&file, i));
            }
        }
    }
}
