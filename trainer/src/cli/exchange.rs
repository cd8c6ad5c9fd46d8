//! `train export` and `train import`.

use std::path::PathBuf;

use crate::checkpoint::exchange::{self, Described, Imported, MEAN_IMAGE, Naming};
use crate::{Checkpoint, InputScale, Mean, ModelConfig, PixelStatistics, RunState, Variant};
use anyhow::Context;
use clap::{Args, ValueEnum};
use shardmill_formats::{Class, errln, outln};

use crate::cli::model::ModelArgs;

/// Names and layouts of weights.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum NamingArg {
    /// torchvision's `alexnet`; for alexnet-owt
    Torchvision,
    /// The paper's layer names in PyTorch's layouts; for every network
    Pytorch,
}

impl NamingArg {
    const fn naming(self) -> Naming {
        match self {
            Self::Torchvision => Naming::Torchvision,
            Self::Pytorch => Naming::Pytorch,
        }
    }
}

/// The flags of `train export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The new safetensors file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Names and layouts
    #[arg(long, value_enum, value_name = "NAMING")]
    to: NamingArg,
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
}

impl ExportArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let checkpoint = Checkpoint::read(&self.checkpoint)?;
        if self.file.exists() {
            anyhow::bail!("{} exists; choose another file", self.file.display());
        }
        let mean = exchange::export(&checkpoint, self.to.naming(), &self.file)?;
        outln!("{}", self.file.display())?;
        if let Some(shape) = mean {
            errln!(
                "note: it holds the mean image as {MEAN_IMAGE} {shape:?}, beside the parameters; PyTorch's \
                 load_state_dict wants it taken out first"
            );
        }
        Ok(())
    }
}

/// The flags of `train import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The safetensors file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Names and layouts; must be given
    // Optional here, so that a file that is not there is told of first.
    #[arg(long, value_enum, value_name = "NAMING")]
    from: Option<NamingArg>,
    /// The new checkpoint; must be given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Folder of shards whose classes the network's are, in this order
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

impl ImportArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if !self.file.is_file() {
            anyhow::bail!("there is no file {}", self.file.display());
        }
        let naming = self
            .from
            .context("give the file's names and layouts: `--from torchvision` or `--from pytorch`")?
            .naming();
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
        let mut described = described.unwrap_or_else(|| foreign(&model.config().clone()));
        if let Some(shards) = &self.shards {
            described.classes = crate::classes(shards)?;
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
        Ok(())
    }
}

/// What is known of weights that come without a description: torchvision's models see pixels over 255
/// minus this mean, over this deviation; classes have numbers only.
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
