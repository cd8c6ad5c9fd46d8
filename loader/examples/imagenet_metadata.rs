//! How long a dataset with the metadata of ImageNet's training set takes to open: 1,281,167 records
//! in 313 shards. The records themselves are tiny, since opening does not read them.
//!
//! `cargo run --release -p shardmill-loader --example imagenet_metadata`

#[path = "../tests/it/kit.rs"]
#[allow(dead_code, unreachable_pub)]
mod kit;

use std::time::Instant;

use shardmill_formats::{Codec, RecordShape};
use shardmill_loader::Dataset;
use shardmill_loader::process::anonymous_rss;

const RECORDS: usize = 1_281_167;
const SHARDS: usize = 313;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for codec in [Codec::Raw, Codec::Zstd] {
        let folder = tempfile::tempdir()?;
        let shards: Vec<usize> = (0..SHARDS)
            .map(|shard| (shard + 1) * RECORDS / SHARDS - shard * RECORDS / SHARDS)
            .collect();
        let plan = kit::Plan {
            codec,
            shape: RecordShape {
                height: 4,
                width: 4,
            },
            shards: &shards,
            classes: 1000,
            key: |sample, class| format!("train/n{class:08}/n{class:08}_{sample}.JPEG"),
            pixels: |sample| vec![sample as u8; 48],
        };
        kit::write_plan(folder.path(), &plan);
        let mut times = Vec::new();
        let (mut memory, mut len) = (0, 0);
        for _ in 0..11 {
            let before = anonymous_rss().unwrap_or(0);
            let start = Instant::now();
            let dataset = Dataset::open(folder.path(), "train")?;
            times.push(start.elapsed());
            memory = memory.max(anonymous_rss().unwrap_or(0).saturating_sub(before));
            len = dataset.len();
        }
        times.sort_unstable();
        println!(
            "{codec}: {len} records in {SHARDS} shards open in {:.1} ms (median of 11; {:.1} to {:.1}); \
             {:.2} bits of memory for each record",
            times[5].as_secs_f64() * 1e3,
            times[0].as_secs_f64() * 1e3,
            times[10].as_secs_f64() * 1e3,
            memory as f64 * 8.0 / len as f64
        );
    }
    Ok(())
}
