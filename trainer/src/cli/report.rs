//! `train report`.

use std::path::PathBuf;

use clap::Args;
use shardmill_formats::errln;

use crate::cli::device::DeviceArgs;
use crate::cli::signals::{self, INTERRUPTED};
use crate::cli::{Execute, Format};
use crate::report::of_run::{CheckpointChoice, ReportOptions, report};
use crate::run::Stop;
use crate::run::log::Display;

/// What is said when the work is asked to stop.
const STOPPING: &str = "stopping after this batch, without a page; once more ends it at once";

/// The flags of `train report`.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: train report runs/shards-alexnet-seed1 --out report.html

The page is one file that opens anywhere and fetches nothing. It shows what was trained on what, the recipe with what \
departs from the paper, curves, layers, errors by class, the kernels of the first layer, images with the network's \
guesses, nearest training images, and ten views beside the paper's. What there is not enough for (a dataset that has \
moved, a run without a checkpoint) is said on the page.")]
pub(super) struct ReportArgs {
    /// The run's folder, which `train --out` made; a run in progress may be looked at
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Folder or address of the shards that the run was trained on [default: where the run's log says]
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
    /// Show no photograph of the dataset: text, tables, curves and kernels alone
    #[arg(long)]
    no_images: bool,
    /// Whose weights are looked at: `best`, `last`, or a checkpoint's file [default: best, or last where there is
    /// no best]
    #[arg(long, value_name = "best|last|FILE")]
    checkpoint: Option<String>,
    /// The split whose images are judged [default: the one that the run was validated on]
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Replace a page that exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    device: DeviceArgs,
    /// Loader threads
    #[arg(long, value_name = "T", default_value_t = 1)]
    threads: usize,
    #[command(flatten)]
    format: Format,
}

impl Execute for ReportArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let options = ReportOptions {
            run: self.run,
            out: self.out,
            shards: self.shards,
            images: !self.no_images,
            checkpoint: self
                .checkpoint
                .as_deref()
                .map_or_else(CheckpointChoice::default, CheckpointChoice::parse),
            split: self.split,
            force: self.force,
            compute: self.device.compute()?,
            threads: self.threads,
            stop: Stop::default(),
            display: match self.format.json {
                true => Display::Json,
                false => Display::Auto,
            },
        };
        let _listening = signals::listen(&options.stop, STOPPING)?;
        match report(&options)? {
            Some(written) => {
                self.format.print(&written)?;
                Ok(0)
            }
            None => {
                errln!("stopped; there is no page");
                Ok(INTERRUPTED)
            }
        }
    }
}
