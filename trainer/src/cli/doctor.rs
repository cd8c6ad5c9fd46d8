//! `train doctor`.

use std::path::PathBuf;

use crate::tools::doctor;
use clap::Args;
use shardmill_formats::{console, outln};

/// The flags of `train doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Folder of shards whose place and speed are looked at too
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    /// The exit code is 0 if this build can train on this machine.
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        let found = doctor::examine(self.shards.as_deref());
        if self.json {
            outln!("{}", serde_json::to_string(&found)?)?;
        } else {
            console::print(&found.to_string())?;
        }
        Ok(u8::from(!found.can_train))
    }
}
