//! `train --shards DIR`: the training flags.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use shardmill_formats::outln;

use crate::checkpoint::Checkpoint;
use crate::cli::device::DeviceArgs;
use crate::cli::eval::{self, ViewsArg};
use crate::cli::model::ModelArgs;
use crate::cli::recipe::{RecipeChoice, note_unused, set_values};
use crate::cli::signals::{self, listen};
use crate::cli::{Execute, Format};
use crate::recipe::Mean;
use crate::recipe::augmentation::{Cropping, Jitter};
use crate::recipe::schedule::{NET_145_MILESTONES, ScheduleConfig};
use crate::recipe::setup::Setup;
use crate::run::eval::EvalOptions;
use crate::run::log::Display;
use crate::run::{TrainOptions, TrainOutcome, train};

/// The training flags. What is not given is the paper's, or the resumed run's.
#[derive(Args, Debug)]
pub(super) struct TrainArgs {
    /// Folder of shards, as `prep ingest` makes it
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
        "cropping", "jitter", "seed", "eval_every", "log_every", "checkpoint_every", "no_snapshots",
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
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Recipe")]
struct RecipeArgs {
    #[command(flatten)]
    choice: RecipeChoice,
    /// Passes over the training split [default: 90]
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    /// Images per batch [default: 128]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Initial learning rate [default: 0.01, or the recipe's; a dataset of only a few classes trains better
    /// with `--recipe small`, which has 0.002 and batches of 64]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Momentum [default: 0.9]
    #[arg(long, value_name = "SHARE")]
    momentum: Option<f32>,
    /// Weight decay [default: 0.0005]
    #[arg(long, value_name = "RATE")]
    weight_decay: Option<f32>,
    /// Batches whose gradients are averaged for each step [default: 1]
    #[arg(long, value_name = "N")]
    accumulate: Option<usize>,
    /// Treat --lr as the rate for 128 images per step, and scale it linearly with the images per step
    #[arg(long)]
    linear_lr: bool,
    /// Layers that are not trained: `conv`, or names such as `conv1,conv2`
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    freeze: Option<Vec<String>>,
    /// Standard deviation of the colour noise [default: 0.1]
    #[arg(long, value_name = "STD")]
    color_std: Option<f64>,
    /// How the network's window is cut from an image; `--set cropping.area` and `--set cropping.ratio`
    /// change the bounds of `resized` [default: random]
    #[arg(long, value_enum, value_name = "KIND")]
    cropping: Option<CroppingArg>,
    /// Random changes of brightness, contrast, saturation and hue, as torchvision's ColorJitter has
    /// them: four numbers, such as 0.4,0.4,0.4,0.1 [default: 0,0,0,0]
    #[arg(long, value_name = "B,C,S,H", value_delimiter = ',')]
    jitter: Option<Vec<f64>>,
    /// What is subtracted from every pixel [default: channel]
    #[arg(long, value_enum, value_name = "MEAN")]
    mean: Option<Mean>,
    /// Do not mirror images
    #[arg(long)]
    no_flip: bool,
    /// When the learning rate changes [default: plateau]
    #[arg(long, value_enum, value_name = "RULE")]
    schedule: Option<ScheduleArg>,
    /// Numbers of finished epochs at which the rate is lowered, with `--schedule steps` [default:
    /// 25,51,79] or `--schedule warm-up` [default: 30,60,80]
    #[arg(long, value_name = "EPOCHS", value_delimiter = ',')]
    milestones: Option<Vec<u64>>,
    /// The split to validate on, which the schedule and the choice of the best checkpoint follow
    /// [default: val, where the dataset has it]
    #[arg(long, value_name = "NAME")]
    val_split: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CroppingArg {
    /// The centre window of every image
    Fixed,
    /// A window at a random place
    Random,
    /// A window of random size and shape, resized: torchvision's RandomResizedCrop
    Resized,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleArg {
    /// When the validation error has stopped falling
    Plateau,
    /// After given numbers of epochs
    Steps,
    /// After given numbers of epochs, and before that it rises from step to step
    WarmUp,
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
            self.evaluate()?;
            return Ok(0);
        }
        let options = self.options()?;
        let _listening = listen(&options.stop, signals::TRAINING)?;
        let outcome = train(&options)?;
        if !self.json {
            conclude(&options, &outcome, called)?;
        }
        Ok(0)
    }
}

impl TrainArgs {
    fn options(&self) -> anyhow::Result<TrainOptions> {
        let shards = self.shards.as_ref().context("`--shards DIR` is missing")?;
        let mut options = TrainOptions::new(shards, self.run_folder(shards)?);
        options.resume = self.resume;
        if self.resume && options.last().is_file() {
            // What is not given is as it was; what is given is compared when the run is resumed.
            let stored = Checkpoint::peek(&options.last())?;
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

impl RecipeArgs {
    /// A schedule of the kind that was asked for: the one that is there, or the default of that kind.
    fn schedule_kind(&self, now: ScheduleConfig) -> ScheduleConfig {
        match (self.schedule, now) {
            (None, now)
            | (Some(ScheduleArg::Plateau), now @ ScheduleConfig::Plateau { .. })
            | (Some(ScheduleArg::Steps), now @ ScheduleConfig::Steps { .. })
            | (Some(ScheduleArg::WarmUp), now @ ScheduleConfig::WarmUp { .. }) => now,
            (Some(ScheduleArg::Plateau), _) => ScheduleConfig::default(),
            (Some(ScheduleArg::Steps), _) => ScheduleConfig::steps(NET_145_MILESTONES.to_vec()),
            (Some(ScheduleArg::WarmUp), _) => ScheduleConfig::warm_up(),
        }
    }

    /// The cropping that the flag asks for. It comes before `--set`, which may change its bounds.
    fn cropping(&self, base: Cropping) -> Cropping {
        match (self.cropping, base) {
            (None, base) | (Some(CroppingArg::Resized), base @ Cropping::Resized { .. }) => base,
            (Some(CroppingArg::Resized), _) => Cropping::resized(),
            (Some(CroppingArg::Fixed), _) => Cropping::Fixed,
            (Some(CroppingArg::Random), _) => Cropping::Random,
        }
    }

    fn apply(&self, options: &mut TrainOptions) -> anyhow::Result<()> {
        let recipe = &mut options.recipe;
        recipe.epochs = self.epochs.unwrap_or(recipe.epochs);
        recipe.batch_size = self.batch_size.unwrap_or(recipe.batch_size);
        recipe.lr = self.lr.unwrap_or(recipe.lr);
        recipe.sgd.momentum = self.momentum.unwrap_or(recipe.sgd.momentum);
        recipe.sgd.weight_decay = self.weight_decay.unwrap_or(recipe.sgd.weight_decay);
        recipe.color_std = self.color_std.unwrap_or(recipe.color_std);
        recipe.accumulate = self.accumulate.unwrap_or(recipe.accumulate);
        recipe.linear_lr |= self.linear_lr;
        if let Some(freeze) = &self.freeze {
            recipe.freeze.clone_from(freeze);
        }
        recipe.flip &= !self.no_flip;
        recipe.cropping = self.cropping(recipe.cropping);
        recipe.jitter = match self.jitter.as_deref() {
            None => recipe.jitter,
            Some(&[brightness, contrast, saturation, hue]) => Jitter {
                brightness,
                contrast,
                saturation,
                hue,
            },
            Some(other) => anyhow::bail!(
                "`--jitter` takes four numbers, brightness, contrast, saturation and hue, as in \
                 `--jitter 0.4,0.4,0.4,0.1`; {} were given",
                other.len()
            ),
        };
        if let Some(split) = &self.val_split {
            recipe.val_split = Some(split.clone());
        }
        recipe.mean = self.mean.unwrap_or(recipe.mean);
        let Some(epochs) = &self.milestones else {
            return Ok(());
        };
        match &mut recipe.schedule {
            ScheduleConfig::Steps { milestones, .. }
            | ScheduleConfig::WarmUp { milestones, .. } => milestones.clone_from(epochs),
            ScheduleConfig::Plateau { .. } => anyhow::bail!(
                "`--milestones` belongs to `--schedule steps` and `--schedule warm-up`; add one of them"
            ),
        }
        Ok(())
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
