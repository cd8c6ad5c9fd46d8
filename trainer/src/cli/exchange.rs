//! `train export` and `train import`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use shardmill_formats::{Class, errln, outln};

use crate::checkpoint::exchange::{self, Described, Imported, MEAN_IMAGE, Naming};
use crate::checkpoint::{Checkpoint, PixelStatistics, RunState};
use crate::cli::Execute;
use crate::cli::model::ModelArgs;
use crate::net::config::{ModelConfig, Variant};
use crate::recipe::{InputScale, Mean};
use crate::report::card::{self, Subject};
use crate::run::data;
use crate::run::log::History;

/// The flags of `train export`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  train export alexnet.safetensors --to pytorch --checkpoint \
                        run/best.safetensors --card"
)]
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
    /// Also write a model card, as Markdown with the head that model hubs read [default file: that of the
    /// weights with the extension md]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    card: Option<Option<PathBuf>>,
    /// What the data is called in the card
    #[arg(long, value_name = "NAME", requires = "card")]
    dataset: Option<String>,
}

impl Execute for ExportArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let checkpoint = Checkpoint::read(&self.checkpoint)?;
        let card = self.card_file();
        for file in [Some(&self.file), card.as_ref()].into_iter().flatten() {
            if file.exists() {
                anyhow::bail!("{} exists; choose another file", file.display());
            }
        }
        if card.as_ref() == Some(&self.file) {
            anyhow::bail!(
                "the card and the weights cannot be one file; choose another with `--card=FILE`"
            );
        }
        // Before the weights: a place that cannot be written to leaves neither.
        let card = match card {
            Some(path) => Some(CardFile::new(path)?),
            None => None,
        };
        let mean = match exchange::export(&checkpoint, self.to, &self.file) {
            Ok(mean) => mean,
            Err(error) => {
                if let Some(card) = card {
                    card.discard();
                }
                return Err(error.into());
            }
        };
        outln!("{}", self.file.display())?;
        if let Some(card) = card {
            card.write(&self.card_text(&checkpoint, mean.as_deref())?)?;
        }
        if let Some(shape) = mean {
            errln!(
                "note: it holds the mean image as {MEAN_IMAGE} {shape:?}, beside the parameters; PyTorch's \
                 load_state_dict wants it taken out first"
            );
        }
        Ok(0)
    }
}

impl ExportArgs {
    /// Where the card goes, if one is asked for.
    fn card_file(&self) -> Option<PathBuf> {
        let given = self.card.as_ref()?;
        Some(
            given
                .clone()
                .unwrap_or_else(|| self.file.with_extension("md")),
        )
    }

    /// The card. `mean` is the shape of the exported mean image.
    fn card_text(&self, checkpoint: &Checkpoint, mean: Option<&[usize]>) -> anyhow::Result<String> {
        let model = checkpoint.model()?;
        let history = run_of(&self.checkpoint, &checkpoint.state);
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        Ok(card::card(&Subject {
            file: &file,
            naming: self.to,
            state: &checkpoint.state,
            parameters: model.parameters().iter().map(|p| p.len()).sum(),
            mean_side: mean.and_then(|shape| shape.last().copied()),
            history: history.as_ref(),
            dataset: self.dataset.as_deref(),
        }))
    }
}

/// A new file for a card.
struct CardFile {
    path: PathBuf,
    file: File,
}

impl CardFile {
    fn new(path: PathBuf) -> anyhow::Result<Self> {
        let file = File::create_new(&path)
            .with_context(|| format!("cannot write the card {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Writes the text, and prints the file's name.
    fn write(mut self, text: &str) -> anyhow::Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.with_context(|| format!("cannot write the card {}", self.path.display()))?;
        outln!("{}", self.path.display())?;
        Ok(())
    }

    /// Removes the empty file; the error that led here is the one to report.
    fn discard(self) {
        let _ = fs::remove_file(self.path);
    }
}

/// What the run of a checkpoint logged, if its `metrics.jsonl` lies beside it. What lies there of another run
/// is named.
fn run_of(checkpoint: &Path, state: &RunState) -> Option<History> {
    let folder = checkpoint.parent()?;
    if !folder.join("metrics.jsonl").exists() {
        return None;
    }
    let unused = |reason: String| {
        errln!("note: the card is made without the log beside the checkpoint: {reason}");
        None
    };
    match History::read(folder) {
        Ok(history) if card::belongs(&history, state) => Some(history),
        Ok(_) => unused("it is of another run".to_owned()),
        Err(error) => unused(error.to_string()),
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
