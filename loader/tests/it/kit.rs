//! Small datasets for the tests of this crate, written with `formats` alone.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::path::Path;

use shardmill_formats::{
    ChannelSums, Class, Codec, EncodeOptions, Encoder, MANIFEST_FILE, Manifest, Preprocessing,
    RecordShape, Rejects, ShardEntry, ShardMetadata, ShardWriter, Source, Split, SplitStatistics,
    shard_file_name,
};

pub(crate) const SHAPE: RecordShape = RecordShape {
    height: 20,
    width: 24,
};
pub(crate) const SAMPLES: usize = 23;
pub(crate) const CLASSES: usize = 5;
/// Records of each shard: uneven, as rejects leave them.
pub(crate) const SHARDS: [usize; 3] = [9, 1, 13];

/// The pixels of sample `i` before encoding.
pub(crate) fn pixels(i: usize) -> Vec<u8> {
    let (height, width) = (SHAPE.height as usize, SHAPE.width as usize);
    let value =
        |y: usize, x: usize, c: usize| (i * 37 + y * 5 + x * 3 + c * 71 + (x * y) / 7) as u8;
    (0..height * width * 3)
        .map(|k| value(k / 3 / width, k / 3 % width, k % 3))
        .collect()
}

/// What a dataset consists of.
pub(crate) struct Plan<'a> {
    pub(crate) codec: Codec,
    pub(crate) shape: RecordShape,
    /// Records of each shard.
    pub(crate) shards: &'a [usize],
    pub(crate) classes: usize,
    pub(crate) key: fn(sample: usize, class: usize) -> String,
    pub(crate) pixels: fn(sample: usize) -> Vec<u8>,
}

/// Writes the small dataset with a split `train` into `folder`.
pub(crate) fn write(folder: &Path, codec: Codec) {
    write_plan(
        folder,
        &Plan {
            codec,
            shape: SHAPE,
            shards: &SHARDS,
            classes: CLASSES,
            key: |sample, class| format!("train/c{class}/{sample}.JPEG"),
            pixels,
        },
    );
}

/// Writes a dataset with a split `train` into `folder`.
pub(crate) fn write_plan(folder: &Path, plan: &Plan<'_>) {
    let (codec, shape, classes) = (plan.codec, plan.shape, plan.classes);
    let mut shards = Vec::new();
    let mut total = ChannelSums::default();
    let mut sample = 0;
    for (shard, records) in plan.shards.iter().enumerate() {
        let file = shard_file_name("train", shard, plan.shards.len());
        let mut options = OpenOptions::new();
        let out: File = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(folder.join(&file))
            .unwrap();
        let metadata = ShardMetadata {
            codec,
            shape,
            split: "train".to_owned(),
            shard: shard as u64,
            shards: plan.shards.len() as u64,
            classes: classes as u64,
            fingerprint: "kit".to_owned(),
            sums: ChannelSums::default(),
        };
        let mut writer = ShardWriter::new(out, metadata).unwrap();
        let mut encoder = Encoder::new(codec, shape, EncodeOptions::default()).unwrap();
        let (mut sums, mut stored) = (ChannelSums::default(), Vec::new());
        for _ in 0..*records {
            let rgb = (plan.pixels)(sample);
            sums.add_image(&rgb);
            encoder.encode(&rgb, &mut stored).unwrap();
            writer
                .append(
                    &(plan.key)(sample, sample % classes),
                    (sample % classes) as i64,
                    &stored,
                )
                .unwrap();
            sample += 1;
        }
        let (_, summary) = writer.finish(&sums).unwrap();
        total.merge(&sums);
        shards.push(ShardEntry {
            file,
            records: summary.records,
            bytes: summary.bytes,
            index_crc32c: format!("{:08x}", summary.index_crc32c),
            blake3: summary.blake3,
        });
    }
    let split = Split {
        records: sample as u64,
        labelled: true,
        shards,
    };
    let statistics = total.statistics().unwrap();
    let named = |what: &str| what.to_owned();
    let manifest = Manifest {
        format: Manifest::format_name(),
        version: Manifest::format_version(),
        codec,
        jpeg_quality: (codec == Codec::Jpeg).then_some(90),
        height: shape.height,
        width: shape.width,
        preprocessing: Preprocessing {
            geometry: named("none"),
            filter: named("none"),
            decoder: named("none"),
            resizer: named("none"),
            exif: None,
            truncated: None,
        },
        classes: (0..classes)
            .map(|c| Class {
                synset: format!("c{c:04}"),
                name: format!("class {c}"),
            })
            .collect(),
        splits: BTreeMap::from([(named("train"), split)]),
        statistics: Some(SplitStatistics {
            split: named("train"),
            pixels: total.pixels,
            statistics,
        }),
        source: Source {
            layout: named("kit"),
            images: sample as u64,
        },
        rejects: Rejects::default(),
        seed: 0,
        prep_version: named("kit"),
    };
    fs::write(folder.join(MANIFEST_FILE), manifest.to_json()).unwrap();
}
