//! `train eval`.

use std::path::PathBuf;

use crate::{Checkpoint, Display, EvalOptions, Scores, Softmax, SubsetSize, View, evaluate};
use clap::{Args, ValueEnum};
use shardmill_formats::{Printable, outln};

use crate::cli::device::DeviceArgs;

/// The flags of `train eval`.
#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: PathBuf,
    /// Folder of shards
    #[arg(long, value_name = "DIR")]
    pub(crate) shards: PathBuf,
    /// The split [default: the one that the network was validated on, `val` unless it was trained with
    /// `--val-split`]
    #[arg(long, value_name = "NAME")]
    pub(crate) split: Option<String>,
    /// Evaluate on a dataset that has only some of the network's classes, matched by synset
    #[arg(long)]
    pub(crate) subset_classes: bool,
    /// With --subset-classes: the outputs that the softmax is taken over [default: subset, as ImageNet-A and
    /// ImageNet-R are scored]
    #[arg(long, value_enum, value_name = "OUTPUTS", requires = "subset_classes")]
    pub(crate) softmax: Option<SoftmaxArg>,
    /// The views
    #[arg(long, value_enum, default_value_t)]
    pub(crate) views: ViewsArg,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// Loader threads
    #[arg(long, value_name = "T", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Views to evaluate.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ViewsArg {
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

/// Outputs to take the softmax over.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SoftmaxArg {
    /// Those of the dataset's classes: no other can be chosen
    Subset,
    /// All of the network's
    All,
}

impl ViewsArg {
    pub(crate) fn views(self) -> Vec<View> {
        match self {
            Self::Center => vec![View::Center],
            Self::Two => vec![View::Two],
            Self::Ten => vec![View::Ten],
            Self::Both => vec![View::Center, View::Ten],
            Self::All => vec![View::Center, View::Two, View::Ten],
        }
    }
}

impl EvalArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut options = EvalOptions::new(&self.checkpoint, &self.shards);
        options.split = match self.split {
            Some(split) => split,
            // The one that decided which checkpoint is the best.
            None => Checkpoint::peek(&self.checkpoint)?
                .recipe
                .val_split
                .unwrap_or(options.split),
        };
        options.subset = self.subset_classes.then(|| match self.softmax {
            None => Softmax::default(),
            Some(SoftmaxArg::Subset) => Softmax::Subset,
            Some(SoftmaxArg::All) => Softmax::All,
        });
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
        if let Some(SubsetSize {
            classes,
            of,
            softmax,
        }) = evaluation.subset
        {
            let over = match softmax {
                Softmax::Subset => "these",
                Softmax::All => "all",
            };
            outln!("{classes} of the network's {of} classes, softmax over {over}")?;
        }
        let views = [
            (View::Center, evaluation.center),
            (View::Two, evaluation.two),
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
