//! `train watch`.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;

use clap::Args;
use shardmill_formats::{console, errln};

use crate::cli::signals::listen;
use crate::cli::{Execute, Format};
use crate::run::Stop;
use crate::tools::watch;

/// What a signal says; nobody sees it, because the terminal is given back right after.
const ENDING: &str = "ending; the run goes on";

/// The flags of `train watch`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  train watch runs/imagenette-alexnet-seed1\n\
    One run is watched at a time. A checkpoint is written at the end of every epoch and when a run is stopped; until \
    the next log line its files do not tell the two apart, so the state is \"stopped or between log lines\" then, \
    without a time left.")]
pub(super) struct WatchArgs {
    /// The folder of one run; it need not exist yet
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Print the present state once, as text; so it is where the output is no terminal
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    format: Format,
}

impl Execute for WatchArgs {
    fn execute(self, called: &str) -> anyhow::Result<u8> {
        let [run] = self.runs.as_slice() else {
            errln!(
                "error: `{called} watch` shows one run, and {} are given; `{called} compare` lays several over \
                 each other",
                self.runs.len()
            );
            return Ok(2);
        };
        let can_draw = console::can_redraw(stdout().is_terminal());
        if self.once || self.format.json || !can_draw {
            self.format.print(&watch::state(run)?)?;
            return Ok(0);
        }
        let stop = Stop::default();
        let _listening = listen(&stop, ENDING)?;
        watch::show(run, &stop)?;
        Ok(0)
    }
}
