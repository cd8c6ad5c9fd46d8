//! Memory and reads of `verify` and `inspect`. Alone in its process, so that all of it is this test's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use shardmill_formats::{
    ChannelSums, Class, Codec, Manifest, Preprocessing, RecordShape, Rejects, ShardEntry,
    ShardMetadata, ShardWriter, Source, Split, shard_file_name,
};
use shardmill_prep::dataset::{inspect, montage};
use shardmill_prep::verify;

const SHAPE: RecordShape = RecordShape {
    height: 256,
    width: 256,
};
const SHARDS: usize = 6;
/// Records of a shard, which makes 25 MB of each.
const RECORDS: usize = 128;

/// A number out of a file of `/proc/self`, if this system has it.
fn of_this_process(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The most memory since the last call, in bytes, and the bytes read.
fn spent(what: impl FnOnce()) -> Option<(u64, u64)> {
    // Makes the peak what it is now.
    fs::write("/proc/self/clear_refs", "5").ok()?;
    let before = of_this_process("status", "VmRSS:")?;
    let read = of_this_process("io", "rchar:")?;
    what();
    let most = of_this_process("status", "VmHWM:")?.saturating_sub(before);
    Some((most * 1024, of_this_process("io", "rchar:")? - read))
}

#[test]
fn memory_is_a_record_for_each_thread_and_inspecting_reads_no_record() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let shard = (RECORDS * SHAPE.bytes()) as u64;

    let sheet = folder.path().join("sheet.png");
    let look = || {
        let found = inspect(folder.path()).unwrap();
        let each = (SHARDS * RECORDS / 2) as u64;
        assert_eq!(found.class_counts, [("train".to_owned(), vec![each; 2])]);
        montage(folder.path(), &sheet, false).unwrap();
    };
    let threads = 6;
    let reread = || {
        let found = verify(folder.path(), threads, false).unwrap();
        assert_eq!(found.records, (SHARDS * RECORDS) as u64);
        assert!(found.faults.is_empty(), "{:?}", found.faults);
    };
    if let (Some((_, read)), Some((most, reread))) = (spent(look), spent(reread)) {
        // The forty records of the sheet, and the indices twice.
        let limit = 40 * SHAPE.bytes() as u64 + (1 << 20);
        assert!(read < limit, "{read} bytes read, more than {limit}");
        assert!(reread > SHARDS as u64 * shard, "only {reread} bytes reread");
        let limit = threads as u64 * (2 << 20);
        assert!(most < limit, "{most} bytes of memory, more than {limit}");
    }
    damaged(folder.path());
}

/// A shard whose header is destroyed is read whole, and not into memory either.
fn damaged(folder: &Path) {
    let path = folder.join(shard_file_name("train", 0, SHARDS));
    let mut bytes = fs::read(&path).unwrap();
    bytes[9] = b'!';
    fs::write(&path, bytes).unwrap();
    let reread = || {
        let faults = verify(folder, 1, false).unwrap().faults;
        let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert!(messages[0].starts_with("its BLAKE3 hash"), "{messages:?}");
        assert!(messages[1].starts_with("the header is"), "{messages:?}");
        assert_eq!(messages.len(), 2, "{messages:?}");
    };
    if let Some((most, _)) = spent(reread) {
        assert!(most < 4 << 20, "{most} bytes of memory");
    }
}

fn write(folder: &Path) {
    let shards = (0..SHARDS)
        .map(|shard| write_shard(folder, shard))
        .collect();
    let text = || "made by hand".to_owned();
    let class = |synset: &str| Class {
        synset: synset.to_owned(),
        name: synset.to_owned(),
    };
    let split = Split {
        records: (SHARDS * RECORDS) as u64,
        labelled: true,
        shards,
    };
    let manifest = Manifest {
        format: Manifest::format_name(),
        version: Manifest::format_version(),
        codec: Codec::Raw,
        jpeg_quality: None,
        height: SHAPE.height,
        width: SHAPE.width,
        preprocessing: Preprocessing {
            geometry: text(),
            filter: text(),
            decoder: text(),
            resizer: text(),
            exif: None,
            truncated: None,
        },
        classes: vec![class("a"), class("b")],
        splits: BTreeMap::from([("train".to_owned(), split)]),
        statistics: None,
        source: Source {
            layout: text(),
            images: (SHARDS * RECORDS) as u64,
        },
        rejects: Rejects::default(),
        seed: 0,
        prep_version: text(),
    };
    fs::write(folder.join("manifest.json"), manifest.to_json()).unwrap();
}

fn write_shard(folder: &Path, shard: usize) -> ShardEntry {
    let metadata = ShardMetadata {
        codec: Codec::Raw,
        shape: SHAPE,
        split: "train".to_owned(),
        shard: shard as u64,
        shards: SHARDS as u64,
        classes: 2,
        fingerprint: "made by hand".to_owned(),
        sums: ChannelSums::default(),
    };
    let name = shard_file_name("train", shard, SHARDS);
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(folder.join(&name))
        .unwrap();
    let mut writer = ShardWriter::new(file, metadata).unwrap();
    for i in 0..RECORDS {
        let pixels = vec![(i * 37 + shard) as u8; SHAPE.bytes()];
        writer
            .append(&format!("{shard}/{i}.png"), (i % 2) as i64, &pixels)
            .unwrap();
    }
    let (_, summary) = writer.finish(&ChannelSums::default()).unwrap();
    ShardEntry {
        file: name,
        records: summary.records,
        bytes: summary.bytes,
        index_crc32c: format!("{:08x}", summary.index_crc32c),
        blake3: summary.blake3,
    }
}
