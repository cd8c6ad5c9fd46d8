//! `train eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use shardmill_formats::console;

use crate::cli::cache::CacheArgs;
use crate::cli::device::DeviceArgs;
use crate::cli::split::split_of;
use crate::cli::{Execute, Format};
use crate::run::View;
use crate::run::eval::{EvalOptions, evaluate};
use crate::run::log::Display;
use crate::run::subset::Softmax;

/// The flags of `train eval`.
#[derive(Args, Debug)]
pub(super) struct EvalArgs {
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// Folder of shards, or its address in an object store
    #[arg(long, value_name = "DIR")]
    shards: PathBuf,
    /// The split [default: the one that the network was validated on, `val` unless it was trained with
    /// `--val-split`]
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Evaluate on a dataset that has only some of the network's classes, matched by synset
    #[arg(long)]
    subset_classes: bool,
    /// With --subset-classes: the outputs that the softmax is taken over [default: subset, as ImageNet-A and
    /// ImageNet-R are scored]
    #[arg(long, value_enum, value_name = "OUTPUTS", requires = "subset_classes")]
    softmax: Option<Softmax>,
    /// The views
    #[arg(long, value_enum, default_value_t)]
    views: ViewsArg,
    #[command(flatten)]
    device: DeviceArgs,
    /// Loader threads
    #[arg(long, value_name = "T", default_value_t = 1)]
    threads: usize,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    cache: CacheArgs,
}

/// Views to evaluate.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum ViewsArg {
    /// The centre window
    Center,
    /// The centre window and its mirror image, softmax outputs averaged
    Two,
    /// Corners, centre and their mirror images, softmax outputs averaged
    Ten,
    /// Centre and ten, one after the other
    #[default]
    Both,
    /// All three, one after the other
    All,
}

impl ViewsArg {
    pub(super) fn views(self) -> Vec<View> {
        match self {
            Self::Center => vec![View::Center],
            Self::Two => vec![View::Two],
            Self::Ten => vec![View::Ten],
            Self::Both => vec![View::Center, View::Ten],
            Self::All => vec![View::Center, View::Two, View::Ten],
        }
    }
}

impl Execute for EvalArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let mut options = EvalOptions::new(&self.checkpoint, &self.shards);
        let softmax = self.softmax.unwrap_or_default();
        options.subset = self.subset_classes.then_some(softmax);
        options.views = self.views.views();
        options.compute = self.device.compute()?;
        options.threads = self.threads;
        options.cache = self.cache.options();
        run(options, self.split, self.format)?;
        Ok(0)
    }
}

/// Evaluates a checkpoint and prints its errors. Without a `split` it is the one that the network was
/// validated on, which decided which checkpoint is the best.
pub(super) fn run(
    mut options: EvalOptions,
    split: Option<String>,
    format: Format,
) -> anyhow::Result<()> {
    options.split = split_of(&options.checkpoint, split)?;
    options.display = match format.json {
        true => Display::Json,
        false => Display::Auto,
    };
    let evaluation = evaluate(&options)?;
    if format.json {
        return format.print(&evaluation);
    }
    let checkpoint = options.checkpoint.display();
    console::print(&format!("{checkpoint} {evaluation}"))?;
    Ok(())
}
