//! What a run prints about itself, with an estimate of the memory that it takes.

use shardmill_loader::Dataset;

use crate::compute;
use crate::cpu::Network;
use crate::net::Model;
use crate::net::config::ModelConfig;
use crate::recipe::difference::differences;
use crate::recipe::schedule::Passed;
use crate::run::TrainOptions;
use crate::run::divergence::{Audience, Circumstances};
use crate::run::error::TrainError;
use crate::run::log::Line;
use crate::run::training::Run;
use crate::run::{data, divergence, variant_name};

impl Run<'_> {
    /// Prints what is about to be done.
    pub(super) fn introduce(&self) {
        let network = self.engine.model();
        let parameters: usize = network.parameters().iter().map(|p| p.len()).sum();
        let model = &self.state.model;
        let size = model.input_size;
        let validation = self.splits.validation.as_ref();
        let images = match validation.map(|split| (split.len(), split.split())) {
            Some((images, name)) => format!("{images} of split `{name}` for validation"),
            None => "no labelled split `val`: the schedule follows the training error".to_owned(),
        };
        self.screen.say(format_args!(
            "network   {} of width {}, {parameters} parameters, input {size}x{size}, seed {}",
            variant_name(model.variant),
            model.width,
            self.state.seed
        ));
        let plain = ModelConfig {
            classes: model.classes,
            ..ModelConfig::of(model.variant)
        };
        for chosen in differences(&plain, model) {
            let text = format_args!("          {} {}", chosen.key, chosen.second);
            self.screen.say(text);
        }
        self.screen.say(&self.state.recipe);
        self.screen.say(format_args!(
            "data      {} images of {} classes; {images}",
            self.splits.train.len(),
            self.state.classes.len()
        ));
        if validation.map(Dataset::split) == Some(data::TRAIN) {
            self.screen
                .say("note: the split for validation is the one that is trained on");
        }
        self.screen.say(format_args!(
            "run       {}",
            self.files.folder.dir.display()
        ));
        if !self.ranks.is_alone() {
            let names: Vec<String> = (0..self.ranks.size()).map(|r| self.ranks.name(r)).collect();
            let threads = rayon::current_num_threads();
            let names = names.join(", ");
            let text = format!("ranks     {names}; {threads} computing threads here");
            self.screen.say(text);
        }
        match self.engine.describe() {
            Some(device) => self.screen.say(format_args!("device    {device}")),
            None => self.print_memory(),
        }
        if let Some(advice) = divergence::advice(&self.state, &self.prior, audience(self.options)) {
            self.screen.say(advice);
        }
    }

    /// Warns at the end of a run that has learned nothing.
    pub(super) fn look_back(&mut self) -> Result<(), TrainError> {
        // The schedule may have lowered the rate since the last step.
        let recipe = &self.state.recipe;
        let last = self.state.progress.epoch.saturating_sub(1);
        let lr = self.last_lr.unwrap_or_else(|| {
            let passed = Passed {
                epochs: last,
                share: 1.0,
            };
            let schedule = &self.state.schedule;
            schedule.lr(&recipe.schedule, recipe.base_lr(), passed)
        });
        let around = Circumstances {
            prior: &self.prior,
            guessing: self.guessing,
            lr,
            audience: audience(self.options),
        };
        match divergence::conclude(&self.state, around) {
            Some(warning) => self.warn(&warning),
            None => Ok(()),
        }
    }

    /// Shows and writes a warning.
    pub(super) fn warn(&mut self, message: &str) -> Result<(), TrainError> {
        let progress = &self.state.progress;
        // Between two epochs it is of the one that has ended.
        let begun = u64::from(progress.samples > 0 || progress.epoch == 0);
        let (epoch, step) = (progress.epoch + begun, progress.step);
        self.screen.say(message);
        self.write(&Line::Warning {
            epoch,
            step,
            message,
        })
    }

    /// Prints the memory that training takes on the CPU, and warns where it is not available.
    fn print_memory(&self) {
        let recipe = &self.state.recipe;
        let workload = Workload {
            rows: self.ranks.part(recipe.batch_size).len(),
            threads: rayon::current_num_threads(),
            accumulates: recipe.accumulate > 1 || !self.ranks.is_alone(),
            has_mean_image: recipe.mean.cut().is_some(),
        };
        let bytes = training(self.engine.model(), workload);
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        self.screen.say(format_args!(
            "memory    about {:.2} GiB for batches of {}",
            gib(bytes),
            recipe.batch_size
        ));
        if let Some(available) = compute::available_memory().filter(|available| *available < bytes)
        {
            self.screen.say(format_args!(
                "warning: the system has {:.2} GiB left; use a smaller --batch-size, with --accumulate \
                 for the same step",
                gib(available)
            ));
        }
    }
}

/// Whom advice is for. Only studies measure the error on training images; those that end at one choose their
/// rates by a search.
pub(super) fn audience(options: &TrainOptions) -> Audience {
    match options.training_error {
        None => Audience::Training,
        Some(measure) if measure.enough.is_none() => Audience::Study,
        Some(_) => Audience::Search,
    }
}

/// Batches that the loader holds at once: the one at hand, one ready, one being filled.
const LOADER_BATCHES: usize = 3;

/// What a training does with a network, as far as memory is concerned.
#[derive(Clone, Copy, Debug)]
struct Workload {
    /// Images of a batch.
    rows: usize,
    /// Threads that compute.
    threads: usize,
    /// Whether a step has several batches.
    accumulates: bool,
    /// Whether a mean image is subtracted from the inputs.
    has_mean_image: bool,
}

/// Bytes that a run holds while it trains `model`: weights, gradients (twice if batches are
/// accumulated), velocities, activations, scratch, the loader's batches, and the copies that a
/// checkpoint is written from. The program itself and the shards' pages in the system's cache are not
/// counted.
fn training(model: &Model, workload: Workload) -> u64 {
    let Workload { rows, threads, .. } = workload;
    let parameters: usize = model.parameters().iter().map(|p| p.len()).sum();
    let copies = if workload.accumulates { 4 } else { 3 };
    let side = model.config().input_size;
    let largest = model
        .parameters()
        .iter()
        .map(|p| p.len())
        .max()
        .unwrap_or(0);
    // A checkpoint is written from a copy of the velocities, and of one tensor in two forms.
    let saving = parameters + 2 * largest;
    // Subtracting a mean image makes a second copy of a batch.
    let batches = LOADER_BATCHES + usize::from(workload.has_mean_image);
    let values = copies * parameters + saving + batches * rows * side * side * 3;
    (values * size_of::<f32>() + Network::buffer_bytes(model, rows, threads)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::config::ModelConfig;

    #[test]
    fn activations_grow_with_the_images_and_parameters_do_not() {
        let model = Model::new(
            &ModelConfig {
                width: 0.05,
                ..ModelConfig::alexnet()
            },
            1,
        );
        let model = model.unwrap();
        let workload = Workload {
            rows: 64,
            threads: 2,
            accumulates: false,
            has_mean_image: false,
        };
        let [small, large] = [64, 128].map(|rows| training(&model, Workload { rows, ..workload }));
        assert!(small < large && large < 2 * small, "{small} {large}");
        for larger in [
            Workload {
                accumulates: true,
                ..workload
            },
            Workload {
                has_mean_image: true,
                ..workload
            },
        ] {
            assert!(training(&model, larger) > small);
        }
    }
}
