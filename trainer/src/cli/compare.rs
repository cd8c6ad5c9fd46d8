//! `train compare`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Execute, Format};
use crate::report::compare::Comparison;

/// The flags of `train compare`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  train compare runs/relu runs/tanh --out compare.html")]
pub(super) struct CompareArgs {
    /// The folders of two runs or more, finished or in progress
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// A new page with their curves, in one file; without it, the tables are printed alone
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a page that exists
    #[arg(long, requires = "out")]
    force: bool,
    #[command(flatten)]
    format: Format,
}

impl Execute for CompareArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let mut comparison = Comparison::read(&self.runs)?;
        if let Some(out) = &self.out {
            comparison.write(out, self.force)?;
        }
        self.format.print(&comparison)?;
        Ok(0)
    }
}
