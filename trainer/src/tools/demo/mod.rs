//! `train demo`: from no images at all to a trained network, in a few minutes on two cores.
//!
//! It draws pictures of classes that differ in shape and texture but not in colour, ingests them,
//! trains a narrow AlexNet, and says how it did beside chance and beside a classifier that looks at
//! mean colours. With `--images DIR` it does the same with a user's own class folders.

mod color;
mod pictures;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use shardmill_formats::outln;
use shardmill_loader::Dataset;
use shardmill_prep::{IngestOptions, ingest};

use crate::net::config::ModelConfig;
use crate::recipe::Recipe;
use crate::recipe::schedule::ScheduleConfig;
use crate::run::log::Display;
use crate::run::{TrainOptions, train};

pub use color::color_error;
pub use pictures::{CLASSES, TreeSize, write_tree};

/// Width of the demo's network: a quarter of the paper's channels everywhere.
const DEMO_WIDTH: f64 = 0.25;

/// The demo's network learns without dropout. Its pictures are drawn by one rule, so there is nothing to
/// overfit; in the few hundred steps of the demo the paper's 0.5 leaves errors of 2 to 14%, by the seed
/// and the build, where none leaves 0 to 1%.
const DEMO_DROPOUT: f32 = 0.0;

/// The flags of `train demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoOptions {
    /// Folder for images, shards and the run; must not exist, or be empty
    #[arg(long, value_name = "DIR", default_value = "demo")]
    out: PathBuf,
    /// Seed of pictures, weights, order, augmentation and dropout
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Your own class folders, instead of pictures that the demo draws: `DIR/<class>/*` or
    /// `DIR/train/<class>/*` with `DIR/val/<class>/*`
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Passes over the training images; with 0 the demo ends with the shards
    #[arg(long, value_name = "N", default_value_t = 14)]
    epochs: u64,
}

impl DemoOptions {
    /// Runs the demo and prints what it does. Without an epoch it ends with the shards.
    ///
    /// # Errors
    /// An output folder that holds something, images that cannot be read, or a disk that is full.
    pub(crate) fn run(&self) -> Result<()> {
        let start = Instant::now();
        check_free(&self.out)?;
        let shards = self.out.join("shards");
        let images = match &self.images {
            Some(images) => images.clone(),
            None => {
                let images = self.out.join("images");
                let count = write_tree(&images, self.seed, TreeSize::DEMO)?;
                outln!(
                    "drew      {count} pictures of {} classes in {}",
                    CLASSES.len(),
                    images.display()
                )?;
                images
            }
        };
        let mut ingesting = IngestOptions::new(&images, &shards);
        ingesting.seed = self.seed;
        if !images.join("val").is_dir() {
            ingesting.val_fraction = 0.2;
        }
        let summary = ingest(&ingesting).with_context(|| format!("images {}", images.display()))?;
        outln!(
            "ingested  {} images, {} rejects, in {}",
            summary.images(),
            summary.rejects.len(),
            shards.display()
        )?;
        if self.epochs == 0 {
            return Ok(());
        }
        let train_split = Dataset::open(&shards, "train")?;
        let val_split = Dataset::open(&shards, "val").context(
            "the demo needs images to validate with: give each class folder at least five",
        )?;
        let classes = train_split.classes().len();
        if classes < 2 {
            bail!(
                "{} holds one class: a classifier needs at least two folders",
                images.display()
            );
        }
        let chance = 100.0 - 100.0 / classes as f64;
        let color = color_error(&train_split, &val_split)?;
        outln!(
            "network   AlexNet of width {DEMO_WIDTH}, without dropout: every layer has a quarter of the paper's \
         channels"
        )?;
        let mut training = TrainOptions::new(&shards, self.out.join("run"));
        training.seed = self.seed;
        training.recipe = demo_recipe(self.epochs);
        training.model = ModelConfig {
            width: DEMO_WIDTH,
            dropout: DEMO_DROPOUT,
            ..ModelConfig::alexnet()
        };
        training.eval_every = 4;
        training.log_every = 40;
        training.display = Display::Auto;
        let outcome = train(&training)?;
        let (Some(center), Some(ten)) = (outcome.center, outcome.ten) else {
            bail!("training ended without an evaluation");
        };
        outln!("")?;
        outln!(
            "validation error, top-1, {} images of {classes} classes",
            center.samples
        )?;
        outln!("  chance               {chance:5.1}%")?;
        outln!("  nearest mean colour  {color:5.1}%")?;
        outln!("  AlexNet, centre      {:5.1}%", center.top1_error)?;
        outln!("  AlexNet, ten views   {:5.1}%", ten.top1_error)?;
        outln!("")?;
        outln!("images       {}", images.display())?;
        outln!(
            "shards       {}   (look: prep inspect {} --montage sheet.png)",
            shards.display(),
            shards.display()
        )?;
        outln!("checkpoint   {}", outcome.last.display())?;
        outln!(
            "log lines    {}",
            outcome.run.join("metrics.jsonl").display()
        )?;
        outln!("all of it took {:.0} s", start.elapsed().as_secs_f64())?;
        // The demo's own pictures can be learned, so a failure here is a fault; a user's may be too few.
        if self.images.is_none() && center.top1_error > chance / 2.0 {
            bail!(
                "the network did not learn: its error is above half of chance; please report the seed, {}",
                self.seed
            );
        }
        Ok(())
    }
}

/// The paper's recipe, except what a thousand images of a few classes need: smaller batches, so that
/// there are enough steps, and a rate at which the loss leaves ln(classes); at the paper's 0.01 it
/// stays there. The rate falls for the last third, since so short a run must not end on a spike.
fn demo_recipe(epochs: u64) -> Recipe {
    Recipe {
        epochs,
        batch_size: 32,
        lr: 0.003,
        schedule: ScheduleConfig::Steps {
            factor: 10.0,
            milestones: vec![(epochs * 2 / 3).max(1)],
        },
        ..Recipe::default()
    }
}

fn check_free(out: &Path) -> Result<()> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!(
                "{} exists and is not empty: choose another --out, or remove it first",
                out.display()
            ),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| out.display().to_string()),
    }
}
