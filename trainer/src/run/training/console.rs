//! What a run prints about itself.

use shardmill_loader::Dataset;

use crate::net::config::ModelConfig;
use crate::recipe::difference::differences;
use crate::run::error::TrainError;
use crate::run::options::variant_name;
use crate::run::report::Line;
use crate::run::training::Run;
use crate::run::{data, divergence};

impl Run<'_> {
    /// Prints what is about to be done.
    pub(super) fn introduce(&self) {
        let network = self.engine.model();
        let parameters: usize = network.parameters().iter().map(|p| p.len()).sum();
        let model = &self.state.model;
        let size = model.input_size;
        let images = self.splits.validation.as_ref().map_or_else(
            || "no labelled split `val`: the schedule follows the training error".to_owned(),
            |split| {
                format!(
                    "{} of split `{}` for validation",
                    split.len(),
                    split.split()
                )
            },
        );
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
        let split = self.splits.validation.as_ref().map(Dataset::split);
        if split == Some(data::TRAIN) {
            self.screen
                .say("note: the split for validation is the one that is trained on");
        }
        self.screen.say(format_args!(
            "run       {}",
            self.files.folder.dir.display()
        ));
        match self.engine.describe() {
            Some(device) => self.screen.say(format_args!("device    {device}")),
            None => self.print_memory(),
        }
        if let Some(advice) = divergence::advice(&self.state, &self.prior) {
            self.screen.say(advice);
        }
    }

    /// Warns at the end of a run that has learned nothing.
    pub(super) fn look_back(&mut self) -> Result<(), TrainError> {
        match divergence::conclude(&self.state, &self.prior, self.lr()) {
            Some(warning) => self.warn(&warning),
            None => Ok(()),
        }
    }

    /// Shows and writes a warning.
    pub(super) fn warn(&mut self, message: &str) -> Result<(), TrainError> {
        let (epoch, step) = (self.state.progress.epoch + 1, self.state.progress.step);
        self.screen.say(message);
        self.write(&Line::Warning {
            epoch,
            step,
            message,
        })
    }
}
