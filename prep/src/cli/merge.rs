//! `prep merge`.

use std::path::PathBuf;

use crate::ingest::merge;
use anyhow::Result;
use shardmill_formats::counted;

use super::{complete_already, print};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder or address that every `prep ingest --part I/N` wrote into.
    dir: PathBuf,
    /// Print the number of records of each split as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let merged = merge(&args.dir)?;
    let manifest = &merged.manifest;
    let splits = manifest.splits.iter();
    if args.json {
        let records = splits.map(|(name, split)| (name.clone(), split.records.into()));
        let records: serde_json::Map<_, _> = records.collect();
        let rejects = manifest.rejects.count;
        return print(&format!(
            "{}\n",
            serde_json::json!({
                "records": records,
                "rejects": rejects,
                "warned": merged.warned,
                "warnings": merged.warnings,
                "was_complete": merged.was_complete,
            })
        ));
    }
    if merged.was_complete {
        print(&complete_already(&args.dir))?;
    }
    let lines = splits.map(|(name, split)| {
        format!(
            "{name}: {} records in {} shards\n",
            split.records,
            split.shards.len()
        )
    });
    print(&lines.collect::<String>())?;
    print(&super::warned_text(&merged.warned, &merged.warnings))?;
    match manifest.rejects.count {
        0 => Ok(()),
        count => print(&format!(
            "{} rejected; each is named in rejects.jsonl\n",
            counted(count, "image", "images")
        )),
    }
}
