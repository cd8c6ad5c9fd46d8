//! `train eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use shardmill_formats::{Printable, outln};
use shardmill_trainer::{Display, EvalOptions, Scores, View, evaluate};

use super::device::DeviceArgs;

/// The flags of `train eval`.
#[derive(Args, Debug)]
pub(super) struct EvalArgs {
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    pub(super) checkpoint: PathBuf,
    /// Folder of shards
    #[arg(long, value_name = "DIR")]
    pub(super) shards: PathBuf,
    /// The split
    #[arg(long, value_name = "NAME", default_value = "val")]
    pub(super) split: String,
    /// The views
    #[arg(long, value_enum, default_value_t)]
    pub(super) views: ViewsArg,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
    /// Loader threads
    #[arg(long, value_name = "T", default_value_t = 1)]
    pub(super) threads: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Views to evaluate.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum ViewsArg {
    /// The centre window
    Center,
    /// Corners, centre and their mirror images, softmax outputs averaged
    Ten,
    /// Both, one after the other
    #[default]
    Both,
}

impl ViewsArg {
    pub(super) fn views(self) -> Vec<View> {
        match self {
            Self::Center => vec![View::Center],
            Self::Ten => vec![View::Ten],
            Self::Both => vec![View::Center, View::Ten],
        }
    }
}

impl EvalArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut options = EvalOptions::new(&self.checkpoint, &self.shards);
        options.split.clone_from(&self.split);
        options.views = self.views.views();
        options.compute = self.device.compute()?;
        options.threads = self.threads;
        options.display = if self.json {
            Display::Json
        } else {
            Display::Auto
        };
        let evaluation = evaluate(&options)?;
        if self.json {
            outln!("{}", serde_json::to_string(&evaluation)?)?;
            return Ok(());
        }
        outln!(
            "{} after {} epochs ({} steps), split {}, chance error {:.1}%",
            self.checkpoint.display(),
            evaluation.epoch,
            evaluation.step,
            Printable(&evaluation.split),
            100.0 - 100.0 / evaluation.classes as f64
        )?;
        let views = [
            (View::Center, evaluation.center),
            (View::Ten, evaluation.ten),
        ];
        for (view, scores) in views {
            if let Some(Scores {
                samples,
                loss,
                top1_error,
                top5_error,
            }) = scores
            {
                outln!(
                    "{:<12} top-1 error {top1_error:.2}%  top-5 error {top5_error:.2}%  \
                     loss {loss:.4}  ({samples} images)",
                    view.name()
                )?;
            }
        }
        Ok(())
    }
}
