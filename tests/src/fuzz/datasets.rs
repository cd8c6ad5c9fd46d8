//! The parsers of finished datasets: shards with their metadata, manifests, records.

use std::collections::BTreeMap;
use std::io::Cursor;

use safetensors::SafeTensors;
use shardmill_formats::schema::DATA_ALIGNMENT;
use shardmill_formats::{
    ChannelSums, Class, Codec, Decoder, EncodeOptions, Encoder, Manifest, Preprocessing,
    RecordShape, Rejects, ShardEntry, ShardIndex, ShardMetadata, ShardWriter, Source, Split,
    shard_file_name,
};
use shardmill_jpeg::Image;

use super::Seed;
use crate::tree::photo;

/// Most pixels of a record that are decoded: memory for it is taken before the record is looked at.
const LARGEST: usize = 64 * 64;

/// A byte, then a shard as it is; or, if the byte is not 0, its header without padding, a line feed and the rest,
/// which leaves a fuzzer less to change in vain.
pub(super) fn shard(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    let Some(end) = bytes.iter().position(|&byte| *kind != 0 && byte == b'\n') else {
        return shard_file(bytes);
    };
    let (header, data) = (&bytes[..end], &bytes[end + 1..]);
    let data_start = (8 + header.len()).next_multiple_of(DATA_ALIGNMENT);
    let mut file = (data_start as u64 - 8).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.resize(data_start, b' ');
    file.extend_from_slice(data);
    shard_file(&file);
}

/// What `parse` accepts can be read to the last byte.
fn shard_file(file: &[u8]) {
    let length = file.len() as u64;
    let header = ShardIndex::header_len(file, length);
    let front = header.ok().and_then(|length| file.get(..length));
    let data = front.and_then(|front| ShardIndex::record_data(front, length).ok());
    let Ok(index) = ShardIndex::parse(file) else {
        return;
    };
    assert_eq!(
        data,
        Some(index.data_range()),
        "the front says the same as the whole"
    );
    SafeTensors::deserialize(file).expect("a shard is a safetensors file");
    let metadata = index.metadata();
    assert!(metadata.shard < metadata.shards);
    assert_eq!(metadata.sums.to_string().parse(), Ok(metadata.sums));
    let _ = index.verify_index(file, 0);
    let mut end = index.data_range().start;
    let mut decoder = (index.shape().pixels() <= LARGEST).then(|| {
        (
            Decoder::new(index.codec(), index.shape()),
            vec![0; index.shape().bytes()],
        )
    });
    for i in 0..index.len() {
        let range = index.record_range(file, i);
        assert_eq!(range.start, end, "records lie one behind the other");
        end = range.end;
        assert!(
            index.label(file, i) < metadata.classes as i64 || metadata.classes > i64::MAX as u64
        );
        assert!(!index.key(file, i).is_empty());
        let sound = index.verify_record(file, i).is_ok();
        assert_eq!(
            sound,
            shardmill_formats::crc32c(index.record(file, i)) == index.checksum(file, i)
        );
        if let Some((decoder, pixels)) = &mut decoder {
            let _ = decoder.decode(index.record(file, i), pixels);
        }
    }
    assert_eq!(end, index.data_range().end, "records fill their region");
}

/// A manifest: what is accepted is written and read as the same.
pub(super) fn manifest(json: &[u8]) {
    let read = Manifest::read(json);
    let Ok(manifest) = Manifest::parse(json) else {
        assert!(read.is_err());
        return;
    };
    let again =
        Manifest::parse(manifest.to_json().as_bytes()).expect("what is written can be read");
    assert_eq!(again, manifest);
    assert!(RecordShape::new(manifest.height, manifest.width) == Some(manifest.shape()));
    for shard in manifest.splits.values().flat_map(|split| &split.shards) {
        let _ = shard.index_checksum();
        assert!(
            !shard.file.contains(['/', '\\']),
            "a shard stays in its folder"
        );
    }
}

/// Two bytes of a shape, then a zstd record; its pixels survive being encoded again.
pub(super) fn zstd_record(input: &[u8]) {
    let Some((shape, pixels)) = decoded(Codec::Zstd, input) else {
        return;
    };
    let mut stored = Vec::new();
    let mut encoder =
        Encoder::new(Codec::Zstd, shape, EncodeOptions::default()).expect("an encoder");
    encoder
        .encode(&pixels, &mut stored)
        .expect("pixels can be encoded");
    let mut back = vec![0; shape.bytes()];
    Decoder::new(Codec::Zstd, shape)
        .decode(&stored, &mut back)
        .expect("what is encoded can be decoded");
    assert_eq!(back, pixels);
}

/// Two bytes of a shape, then a JPEG record.
pub(super) fn jpeg_record(input: &[u8]) {
    decoded(Codec::Jpeg, input);
}

/// The pixels of a record, which are the same from a decoder that has decoded it before.
fn decoded(codec: Codec, input: &[u8]) -> Option<(RecordShape, Vec<u8>)> {
    let (&[height, width], stored) = input.split_first_chunk()?;
    let side = |byte: u8| u32::from(byte % 64) + 1;
    let shape = RecordShape::new(side(height), side(width))?;
    let mut decoder = Decoder::new(codec, shape);
    let (mut first, mut second) = (vec![0; shape.bytes()], vec![1; shape.bytes()]);
    let (one, other) = (
        decoder.decode(stored, &mut first),
        decoder.decode(stored, &mut second),
    );
    assert_eq!(one.is_ok(), other.is_ok());
    one.ok()?;
    assert_eq!(first, second, "decoding leaves nothing as it was");
    Some((shape, first))
}

const SHAPE: RecordShape = RecordShape {
    height: 4,
    width: 6,
};

fn stored(codec: Codec, shape: RecordShape, number: u32) -> Vec<u8> {
    let pixels = photo(shape.width, shape.height, number).into_raw();
    let mut stored = Vec::new();
    Encoder::new(codec, shape, EncodeOptions::default())
        .and_then(|mut encoder| encoder.encode(&pixels, &mut stored))
        .expect("pixels can be encoded");
    stored
}

/// Shards of every codec, in both forms.
pub(super) fn shards() -> Vec<Seed> {
    let kinds = Codec::ALL
        .into_iter()
        .flat_map(|codec| [1, 3].map(|records| (codec, records)));
    let forms = kinds.flat_map(|(codec, records)| {
        let file = shard_of(codec, records);
        let (header, data) = file.split_at(DATA_ALIGNMENT);
        let short = [b"\x01", header[8..].trim_ascii_end(), b"\n", data].concat();
        [
            (format!("{codec}-{records}"), [b"\0", &*file].concat()),
            (format!("{codec}-{records}-short"), short),
        ]
    });
    forms.collect()
}

fn shard_of(codec: Codec, records: u32) -> Vec<u8> {
    let metadata = ShardMetadata {
        codec,
        shape: SHAPE,
        split: "train".to_owned(),
        shard: 0,
        shards: 2,
        classes: 5,
        fingerprint: "f".to_owned(),
        sums: ChannelSums::default(),
    };
    let mut writer = ShardWriter::new(Cursor::new(Vec::new()), metadata).expect("a shard begins");
    let mut sums = ChannelSums::default();
    for i in 0..records {
        sums.add_image(&photo(SHAPE.width, SHAPE.height, i).into_raw());
        writer
            .append(
                &format!("n1/{i}.png"),
                i64::from(i),
                &stored(codec, SHAPE, i),
            )
            .expect("a record is added");
    }
    writer.finish(&sums).expect("a shard ends").0.into_inner()
}

/// Manifests with and without what may be left out.
pub(super) fn manifests() -> Vec<Seed> {
    let entry = |shard| ShardEntry {
        file: shard_file_name("train", shard, 2),
        records: 3,
        bytes: 8192,
        index_crc32c: "0123abcd".to_owned(),
        blake3: "0".repeat(64),
    };
    let class = |synset: &str| Class {
        synset: synset.to_owned(),
        name: format!("words of {synset}"),
    };
    let small = Manifest {
        format: Manifest::format_name(),
        version: Manifest::format_version(),
        codec: Codec::Raw,
        jpeg_quality: None,
        height: 4,
        width: 6,
        preprocessing: Preprocessing {
            geometry: "squash".to_owned(),
            filter: "box".to_owned(),
            decoder: "d".to_owned(),
            resizer: "r".to_owned(),
            exif: None,
            truncated: None,
        },
        classes: vec![class("n1"), class("n2")],
        splits: BTreeMap::new(),
        statistics: None,
        source: Source {
            layout: "list".to_owned(),
            images: 6,
        },
        rejects: Rejects::default(),
        seed: 7,
        prep_version: "1".to_owned(),
    };
    let mut whole = Manifest {
        codec: Codec::Jpeg,
        jpeg_quality: Some(90),
        rejects: Rejects {
            count: 1,
            file: Some("rejects.jsonl".to_owned()),
        },
        ..small.clone()
    };
    whole.preprocessing.exif = Some("apply".to_owned());
    whole.preprocessing.truncated = Some("pad".to_owned());
    let split = Split {
        records: 6,
        labelled: true,
        shards: vec![entry(0), entry(1)],
    };
    whole.splits.insert("train".to_owned(), split);
    let mut value: serde_json::Value =
        serde_json::from_str(&whole.to_json()).expect("a manifest is JSON");
    value["statistics"] = serde_json::json!({
        "split": "train", "pixels": 144, "mean": [0.5, 0.25, 0.125], "std": [1.0, 2.0, 3.0],
        "eigenvalues": [3.0, 2.0, 1.0],
        "eigenvectors": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    });
    [
        ("small", small.to_json()),
        ("whole", whole.to_json()),
        ("statistics", value.to_string()),
    ]
    .map(|(name, json)| (name.to_owned(), json.into_bytes()))
    .into()
}

/// Records of several shapes behind their two bytes.
pub(super) fn zstd_records() -> Vec<Seed> {
    records(Codec::Zstd)
}

/// Records of several shapes behind their two bytes, and streams of every kind behind those of their size.
pub(super) fn jpeg_records() -> Vec<Seed> {
    let stream = |(name, file): Seed| {
        let image = Image::parse(&file).ok()?;
        let sides = [image.height() - 1, image.width() - 1].map(|side| side as u8);
        let bytes = [&sides[..], &file].concat();
        Some((name, bytes))
    };
    let streams = shardmill_jpeg_kit::seeds().into_iter().filter_map(stream);
    records(Codec::Jpeg).into_iter().chain(streams).collect()
}

fn records(codec: Codec) -> Vec<Seed> {
    let record = |(height, width): (u8, u8)| {
        let shape = RecordShape {
            height: height.into(),
            width: width.into(),
        };
        let bytes = [&[height - 1, width - 1][..], &stored(codec, shape, 3)].concat();
        (format!("{shape}"), bytes)
    };
    [(1, 1), (4, 6), (17, 33)].map(record).into()
}
