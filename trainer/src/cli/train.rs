//! `train --shards DIR`: the training flags.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use shardmill_formats::outln;

use crate::checkpoint::Checkpoint;
use crate::cli::cache::CacheArgs;
use crate::cli::device::DeviceArgs;
use crate::cli::eval::{self, ViewsArg};
use crate::cli::model::ModelArgs;
use crate::cli::ranks::{RankArgs, refuse_several, stored_state};
use crate::cli::recipe::{note_unused, set_values};
use crate::cli::recipe_args::RecipeArgs;
use crate::cli::signals::{self, listen};
use crate::cli::{Execute, Format};
use crate::ranks::Ranks;
use crate::recipe::setup::Setup;
use crate::run::eval::EvalOptions;
use crate::run::log::Display;
use crate::run::{TrainOptions, TrainOutcome, train_among};

/// The training flags. What is not given is the paper's, or the resumed run's.
#[derive(Args, Debug)]
pub(super) struct TrainArgs {
    /// Folder of shards, as `prep ingest` makes it, or its address in an object store, such as s3://bucket/imagenet
    // Optional only beside a subcommand, which has its own.
    #[arg(long, value_name = "DIR", required = true)]
    shards: Option<PathBuf>,
    /// Folder for checkpoints and metrics [default: runs/SHARDS-VARIANT-seedSEED]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Resume from the last checkpoint in the run's folder
    #[arg(long)]
    resume: bool,
    /// Do not train; evaluate the best checkpoint in the run's folder, as `train eval` does
    #[arg(long, conflicts_with_all = [
        "resume", "init", "recipe", "set", "epochs", "batch_size", "lr", "momentum", "weight_decay",
        "accumulate", "linear_lr", "freeze", "color_std", "mean", "no_flip", "schedule", "milestones",
        "cropping", "jitter", "order", "seed", "eval_every", "log_every", "checkpoint_every", "no_snapshots",
        "max_steps",
    ])]
    eval_only: bool,
    /// Start from the weights, and the network, of another run's checkpoint; fc8 is new if the classes
    /// differ
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    init: Option<PathBuf>,
    /// Seed of weights, order, augmentation and dropout [default: 1]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Loader threads; they do not change the result [default: 1]
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
    /// Print the lines of metrics.jsonl to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    recipe: RecipeArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    ranks: RankArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Pace")]
struct PaceArgs {
    /// Epochs between evaluations on the validation split; 0 evaluates only at the end [default: 1]
    #[arg(long, value_name = "EPOCHS")]
    eval_every: Option<u64>,
    /// Steps between log lines [default: 20]
    #[arg(long, value_name = "STEPS")]
    log_every: Option<u64>,
    /// Steps between checkpoints, besides the one after every epoch
    #[arg(long, value_name = "STEPS")]
    checkpoint_every: Option<u64>,
    /// Do not keep conv1's kernels after every epoch (RUN/kernels, 140 KB an epoch at the full width)
    #[arg(long)]
    no_snapshots: bool,
    /// Stop after this many steps, with a checkpoint
    #[arg(long, value_name = "STEPS")]
    max_steps: Option<u64>,
    /// Views of the evaluation at the end
    #[arg(long, value_enum, default_value_t)]
    final_views: ViewsArg,
}

impl Execute for TrainArgs {
    fn execute(self, called: &str) -> anyhow::Result<u8> {
        if self.eval_only {
            refuse_several("train --eval-only")?;
            self.evaluate()?;
            return Ok(0);
        }
        let ranks = self.ranks.connect(self.device.compute()?)?;
        let trained = self.train(&ranks, called);
        if let Err(error) = &trained {
            ranks.end(&format!("{error:#}"));
        }
        trained.map(|()| 0)
    }
}

impl TrainArgs {
    /// Trains as one of `ranks`, of which the first prints.
    fn train(&self, ranks: &Ranks, called: &str) -> anyhow::Result<()> {
        let options = self.options(ranks)?;
        let words = match ranks.is_first() {
            true => signals::TRAINING,
            false => "",
        };
        let _listening = listen(&options.stop, words)?;
        let outcome = train_among(&options, ranks)?;
        if !self.json && ranks.is_first() {
            conclude(&options, &outcome, called)?;
        }
        Ok(())
    }

    fn options(&self, ranks: &Ranks) -> anyhow::Result<TrainOptions> {
        let shards = self.shards.as_ref().context("`--shards DIR` is missing")?;
        let mut options = TrainOptions::new(shards, self.run_folder(shards)?);
        options.resume = self.resume;
        if let Some(stored) = stored_state(ranks, self.resume, &options.last())? {
            // What is not given is as it was; what is given is compared when the run is resumed.
            (options.seed, options.recipe, options.model) =
                (stored.seed, stored.recipe, stored.model);
        }
        if let Some(init) = &self.init {
            let stored = Checkpoint::peek(init)?;
            options.model = stored.model;
            (options.recipe.scale, options.recipe.mean) = (stored.recipe.scale, stored.recipe.mean);
            options.init = Some(init.clone());
        }
        options.compute = self.device.compute()?;
        options.seed = self.seed.unwrap_or(options.seed);
        let mut base = Setup {
            recipe: options.recipe,
            model: options.model,
        };
        if let Some(named) = self.recipe.choice.named()? {
            base = if self.init.is_some() {
                // The weights belong to their network and to its input.
                note_unused(&named, &base);
                let mut recipe = named.recipe;
                (recipe.scale, recipe.mean) = (base.recipe.scale, base.recipe.mean);
                Setup { recipe, ..base }
            } else {
                named
            };
        }
        // What brings other values comes before single values, which win.
        base.model = self.model.start_from(base.model);
        base.recipe.schedule = self.recipe.schedule_kind(base.recipe.schedule);
        // Weights of another run belong to their network's settings.
        if let Some(activation) = self.model.activation()
            && activation != base.model.activation
            && self.init.is_none()
        {
            base = base.with_activation(activation);
        }
        base.recipe.cropping = self.recipe.cropping(base.recipe.cropping);
        let setup = set_values(base, self.recipe.choice.assignments())?;
        (options.recipe, options.model) = (setup.recipe, self.model.apply(setup.model));
        self.recipe.apply(&mut options)?;
        let chosen = Setup {
            recipe: options.recipe.clone(),
            model: options.model.clone(),
        };
        self.recipe.choice.check_kept(&chosen)?;
        options.threads = self.threads.unwrap_or(options.threads);
        options.cache = self.cache.options();
        options.eval_every = self.pace.eval_every.unwrap_or(options.eval_every);
        options.log_every = self.pace.log_every.unwrap_or(options.log_every);
        options.checkpoint_every = self.pace.checkpoint_every;
        options.snapshots = !self.pace.no_snapshots;
        options.max_steps = self.pace.max_steps;
        options.final_views = self.pace.final_views.views();
        options.display = if self.json {
            Display::Json
        } else {
            Display::Auto
        };
        Ok(options)
    }

    /// Evaluates the best checkpoint of the run, or its last where none was validated.
    fn evaluate(self) -> anyhow::Result<()> {
        let shards = self.shards.as_ref().context("`--shards DIR` is missing")?;
        let run = self.run_folder(shards)?;
        let names = ["best.safetensors", "last.safetensors"];
        let checkpoint = names.map(|name| run.join(name));
        let checkpoint = checkpoint.into_iter().find(|file| file.is_file());
        let checkpoint = checkpoint.with_context(|| {
            let run = run.display();
            format!("there is no checkpoint in {run}; give the run's folder with `--out RUN`")
        })?;
        let mut options = EvalOptions::new(checkpoint, shards);
        options.views = self.pace.final_views.views();
        options.compute = self.device.compute()?;
        options.threads = self.threads.unwrap_or(options.threads);
        options.cache = self.cache.options();
        let format = Format { json: self.json };
        eval::run(options, self.recipe.val_split, format)
    }

    /// The same command line means the same folder, so that adding `--resume` finds it.
    fn run_folder(&self, shards: &Path) -> anyhow::Result<PathBuf> {
        if let Some(out) = &self.out {
            return Ok(out.clone());
        }
        let defaults = TrainOptions::new("", "");
        // The others may belong to a kind of recipe that only the run itself knows.
        let of_model = |assignment: &&String| assignment.starts_with("model.");
        let choice = &self.recipe.choice;
        let base = choice.named()?.unwrap_or_default();
        let setup = set_values(base, choice.assignments().iter().filter(of_model))?;
        let variant = self.model.apply(setup.model).variant;
        let seed = self.seed.unwrap_or(defaults.seed);
        Ok(TrainOptions::default_run(shards, variant, seed))
    }
}

/// Prints where everything is and which commands go on from there. `called` is what the user calls the
/// program.
fn conclude(options: &TrainOptions, outcome: &TrainOutcome, called: &str) -> anyhow::Result<()> {
    outln!("")?;
    outln!(
        "metrics     {}",
        outcome.run.join("metrics.jsonl").display()
    )?;
    outln!(
        "last        {} (step {})",
        outcome.last.display(),
        outcome.steps
    )?;
    if let (Some(best), Some(error)) = (&outcome.best, outcome.best_error) {
        let split = outcome.val_split.as_deref().unwrap_or("val");
        outln!(
            "best        {} (top-1 error {error:.2}% of split {split})",
            best.display()
        )?;
    }
    let shards = options.shards.display();
    if !outcome.finished {
        let run = outcome.run.display();
        outln!("stopped after step {}; go on with", outcome.steps)?;
        outln!("  {called} --shards {shards} --out {run} --resume")?;
    } else if outcome.center.is_some() {
        let checkpoint = outcome.best.as_ref().unwrap_or(&outcome.last);
        outln!("evaluate any checkpoint with")?;
        outln!(
            "  {called} eval --checkpoint {} --shards {shards}",
            checkpoint.display()
        )?;
    }
    Ok(())
}
