//! `train doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Execute, Format};
use crate::tools::doctor::Doctor;

/// The flags of `train doctor`.
#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// Folder of shards, or its address in an object store, whose location and read speed are also checked
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

impl Execute for DoctorArgs {
    /// The exit code is 0 if this build can train on this machine.
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let found = Doctor::examine(self.shards.as_deref());
        self.format.print(&found)?;
        Ok(u8::from(!found.can_train()))
    }
}
