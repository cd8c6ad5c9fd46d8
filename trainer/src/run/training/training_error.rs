//! Measures the error on training images while a network is trained.

use crate::run::View;
use crate::run::data;
use crate::run::error::TrainError;
use crate::run::log::Line;
use crate::run::options::TrainingError;
use crate::run::training::{Measured, Run};

/// Whether a measurement follows step `step` of an epoch of `steps` steps (0: before the first).
fn is_due(measure: TrainingError, step: u64, steps: u64) -> bool {
    let parts =
        |step: u64| u128::from(step) * u128::from(measure.per_epoch) / u128::from(steps.max(1));
    measure.per_epoch > 0 && (step == 0 || parts(step) > parts(step - 1))
}

impl Run<'_> {
    /// Measures where a measurement follows the step that was just made; before the first step as well.
    pub(super) fn measure_if_due(&mut self) -> Result<(), TrainError> {
        let Some(measure) = self.options.training_error else {
            return Ok(());
        };
        let images = self.state.recipe.step_images() as u64;
        let progress = &self.state.progress;
        let steps = progress.records.div_ceil(images);
        if !is_due(measure, progress.samples.div_ceil(images), steps) {
            return Ok(());
        }
        self.measure(measure)?;
        // Evaluation has set its own.
        self.engine
            .set_normalization(data::training_normalize(&self.state))?;
        Ok(())
    }

    /// Measures at the end of the run, unless the last step was followed by a measurement.
    pub(super) fn measure_at_end(&mut self) -> Result<(), TrainError> {
        let step = self.state.progress.step;
        match self.options.training_error {
            Some(measure) if self.measured.is_none_or(|last| last.step != step) => {
                self.measure(measure)
            }
            _ => Ok(()),
        }
    }

    /// Whether the error on training images has fallen as far as asked for at the last measurement.
    pub(super) fn is_good_enough(&self) -> bool {
        let enough = self
            .options
            .training_error
            .and_then(|measure| measure.enough);
        match (self.measured, enough) {
            (Some(last), Some(enough)) => last.scores.top1_error <= enough,
            _ => false,
        }
    }

    fn measure(&mut self, measure: TrainingError) -> Result<(), TrainError> {
        let train = &self.splits.train;
        let images = measure.images.clamp(1, train.len());
        let spread = (0..images)
            .map(|i| (u128::from(i) * u128::from(train.len()) / u128::from(images)) as u64);
        let part = train.select(spread)?;
        let Some(scores) = self.score_images(&part, View::Center, "training error: ")? else {
            return Ok(());
        };
        let progress = &self.state.progress;
        let step = progress.step;
        let line = Line::TrainingError {
            epoch: (progress.epoch + 1).min(self.state.recipe.epochs),
            step,
            scores,
            seconds: self.clock.elapsed().as_secs_f64(),
        };
        self.write(&line)?;
        let progress = &self.state.progress;
        let share = progress.samples as f64 / progress.records.max(1) as f64;
        self.screen.say(format_args!(
            "after {:.2} epochs  {} training images as an evaluation sees them: top-1 error {:.2}%, loss {:.4}",
            progress.epoch as f64 + share,
            scores.samples,
            scores.top1_error,
            scores.loss
        ));
        self.measured = Some(Measured { step, scores });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{TrainingError, is_due};

    /// The steps of an epoch that are followed by a measurement.
    fn due(per_epoch: u64, steps: u64) -> Vec<u64> {
        let measure = TrainingError {
            images: 1,
            per_epoch,
            enough: None,
        };
        (0..=steps)
            .filter(|&step| is_due(measure, step, steps))
            .collect()
    }

    #[test]
    fn measurements_divide_an_epoch_into_equal_parts() {
        assert!(due(0, 391).is_empty());
        assert_eq!(due(1, 391), [0, 391]);
        assert_eq!(due(2, 391), [0, 196, 391]);
        assert_eq!(due(4, 8), [0, 2, 4, 6, 8]);
        assert_eq!(due(5, 3), [0, 1, 2, 3]);
    }
}
