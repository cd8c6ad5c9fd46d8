//! `prep verify`.

use std::path::PathBuf;

use crate::verify;
use anyhow::{Result, bail};
use shardmill_formats::{counted, size};

use super::{check_dataset, print, say};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder of the dataset, or an address such as s3://bucket/dataset.
    dir: PathBuf,
    /// Threads; 0 means one for each core. Each holds one record in memory.
    #[arg(long, value_name = "N", default_value = "0", value_parser = super::threads)]
    threads: usize,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, called: &str) -> Result<()> {
    check_dataset(&args.dir, called)?;
    let result = verify(&args.dir, args.threads, true)?;
    if args.json {
        print(&(result.to_json() + "\n"))?;
    } else {
        for fault in &result.faults {
            let record = (fault.record.zip(fault.key.as_ref()))
                .map(|(record, key)| format!(", record {record} (key {key:?})"))
                .unwrap_or_default();
            say(&format!("{}{record}: {}", fault.shard, fault.message));
        }
        print(&format!(
            "{} in {}, {}: {}\n",
            counted(result.records, "record", "records"),
            counted(result.shards, "shard", "shards"),
            size(result.bytes),
            counted(result.faults.len(), "fault", "faults")
        ))?;
    }
    if result.faults.is_empty() {
        return Ok(());
    }
    bail!(
        "{} is damaged: restore the shards named above from a copy, or ingest again",
        args.dir.display()
    )
}
