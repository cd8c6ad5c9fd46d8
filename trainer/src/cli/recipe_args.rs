//! The flags of a recipe's values.

use clap::{Args, ValueEnum};
use shardmill_loader::Order;

use crate::cli::recipe::RecipeChoice;
use crate::recipe::Mean;
use crate::recipe::augmentation::{Cropping, Jitter};
use crate::recipe::schedule::{NET_145_MILESTONES, ScheduleConfig};
use crate::run::TrainOptions;

/// The values of the recipe that have flags of their own.
#[derive(Args, Debug)]
#[command(next_help_heading = "Recipe")]
pub(super) struct RecipeArgs {
    #[command(flatten)]
    pub(super) choice: RecipeChoice,
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
    /// The order of training images: global, blocks or shards; shards:4 shuffles 4 shards at a time, so that a
    /// dataset in an object store needs room for few of its shards [default: global]
    #[arg(long, value_name = "ORDER")]
    order: Option<Order>,
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
    pub(super) val_split: Option<String>,
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

impl RecipeArgs {
    /// A schedule of the kind that was asked for: the one that is there, or the default of that kind.
    pub(super) fn schedule_kind(&self, now: ScheduleConfig) -> ScheduleConfig {
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
    pub(super) fn cropping(&self, base: Cropping) -> Cropping {
        match (self.cropping, base) {
            (None, base) | (Some(CroppingArg::Resized), base @ Cropping::Resized { .. }) => base,
            (Some(CroppingArg::Resized), _) => Cropping::resized(),
            (Some(CroppingArg::Fixed), _) => Cropping::Fixed,
            (Some(CroppingArg::Random), _) => Cropping::Random,
        }
    }

    /// Sets the values that the flags give.
    pub(super) fn apply(&self, options: &mut TrainOptions) -> anyhow::Result<()> {
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
        recipe.order = self.order.unwrap_or(recipe.order);
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
