//! `train export` and `train import`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use shardmill_formats::{Class, errln, outln};

use crate::checkpoint::exchange::{self, Described, Imported, MEAN_IMAGE, Naming};
use crate::checkpoint::{Checkpoint, PixelStatistics, RunState};
use crate::cli::Execute;
use crate::cli::model::ModelArgs;
use crate::net::config::{ModelConfig, Variant};
use crate::recipe::{InputScale, Mean};
use crate::run::data;

/// The flags of `train export`.
#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// The new safetensors file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Names and layouts
    #[arg(long, value_enum, value_name = "NAMING")]
    to: Naming,
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
}

impl Execute for ExportArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let checkpoint = Checkpoint::read(&self.checkpoint)?;
        if self.file.exists() {
            anyhow::bail!("{} exists; choose another file", self.file.display());
        }
        let mean = exchange::export(&checkpoint, self.to, &self.file)?;
        outln!("{}", self.file.display())?;
        if let Some(shape) = mean {
            errln!(
                "note: it holds the mean image as {MEAN_IMAGE} {shape:?}, beside the parameters; PyTorch's \
                 load_state_dict wants it taken out first"
            );
        }
        Ok(0)
    }
}

/// The flags of `train import`.
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// The safetensors file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Names and layouts; must be given
    // Optional here, so that a missing file is reported first.
    #[arg(long, value_enum, value_name = "NAMING")]
    from: Option<Naming>,
    /// The new checkpoint; must be given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Folder of shards that the network was trained on; its classes, in their order, are the network's
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

impl Execute for ImportArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        if !self.file.is_file() {
            anyhow::bail!("there is no file {}", self.file.display());
        }
        let naming = self.from.context(
            "give the file's names and layouts: `--from torchvision` or `--from pytorch`",
        )?;
        let out = self.out.context("give the new checkpoint: `--out FILE`")?;
        if out.exists() {
            anyhow::bail!("{} exists; choose another --out", out.display());
        }
        let base = match naming {
            Naming::Torchvision => ModelConfig::of(Variant::AlexnetOwt),
            Naming::Pytorch => ModelConfig::default(),
        };
        let Imported {
            model,
            mean_image,
            described,
        } = exchange::import(&self.file, naming, &self.model.apply(base))?;
        if described.is_some() && self.model.apply(model.config().clone()) != *model.config() {
            anyhow::bail!(
                "{} describes its own network, and the flags describe another: leave them out",
                self.file.display()
            );
        }
        let mut described = described.unwrap_or_else(|| foreign(model.config()));
        if let Some(shards) = &self.shards {
            described.classes = data::classes(shards)?;
        }
        if described.classes.len() != model.config().classes {
            anyhow::bail!(
                "the network has {} outputs, but there are {} classes; give the `--shards` that it \
                 was trained on",
                model.config().classes,
                described.classes.len()
            );
        }
        let mut state =
            RunState::unborn(model.config().clone(), described.classes, described.pixels);
        (state.recipe.scale, state.recipe.mean) = (described.scale, described.mean);
        let tensors = Checkpoint::weights(&model, mean_image.as_ref())?;
        Checkpoint::write(&out, &state, &tensors)?;
        outln!("{}", out.display())?;
        Ok(0)
    }
}

/// The description of weights that come without one. torchvision's models see pixels divided by 255, minus
/// this mean, divided by this deviation; the classes have numbers only.
fn foreign(model: &ModelConfig) -> Described {
    let class = |label: usize| Class {
        synset: format!("class-{label}"),
        name: format!("class {label}"),
    };
    Described {
        model: model.clone(),
        classes: (0..model.classes).map(class).collect(),
        pixels: PixelStatistics {
            mean: [0.485, 0.456, 0.406].map(|mean: f64| 255.0 * mean),
            std: [0.229, 0.224, 0.225].map(|std: f64| 255.0 * std),
        },
        scale: InputScale::Standardized,
        mean: Mean::Channel,
    }
}
