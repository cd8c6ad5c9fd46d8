//! Where a run stands, in numbers and in words.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shardmill_formats::Printable;

use crate::run::View;
use crate::run::log::{EvaluationPoint, Figures, History, StepPoint, in_two_units};
use crate::run::variant_name;
use crate::tools::watch::curves::{Curve, range, sparkline, steps_per_epoch};
use crate::tools::watch::{Curves, Follower};

/// Warnings that are shown, the last ones.
const WARNINGS: usize = 3;

/// A run whose file has not changed for this long, and for four times its usual interval, is quiet.
const QUIET: Duration = Duration::from_secs(60);

/// Log lines that the usual interval is taken from.
const RECENT: usize = 10;

/// What a run is doing, as far as its files show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Activity {
    /// There is no file yet.
    Waiting,
    /// Lines have been coming.
    Running,
    /// A checkpoint is the last thing that was written: it was stopped, or has not come to its next line.
    Saved,
    /// No line for a while: it was stopped, or it evaluates.
    Quiet,
    /// Every epoch is trained.
    Finished,
}

/// Where a run stands. Errors are in percent; epochs are counted from 1.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    /// The folder.
    pub(crate) run: String,
    pub(crate) activity: Activity,
    /// Seconds since the file last changed.
    pub(crate) seconds_since_last_line: Option<f64>,
    pub(crate) variant: Option<&'static str>,
    pub(crate) width: Option<f64>,
    pub(crate) classes: Option<usize>,
    pub(crate) train_images: Option<u64>,
    /// Epochs in all, and steps in all.
    pub(crate) epochs: Option<u64>,
    pub(crate) steps: Option<u64>,
    /// The last log line of training steps.
    pub(crate) training: Option<Training>,
    /// Seconds of training and evaluation that are left, at the speed of the last epoch.
    pub(crate) eta_seconds: Option<f64>,
    /// The last evaluation from the centre view.
    pub(crate) validation: Option<Validation>,
    /// The one with the lowest top-1 error.
    pub(crate) best: Option<Validation>,
    /// The last evaluation from ten views.
    pub(crate) ten_views: Option<Validation>,
    /// Top-1 error of calling every validation image the most frequent class.
    pub(crate) guessing_top1_error: Option<f64>,
    /// The last warnings.
    pub(crate) warnings: Vec<String>,
    /// All warnings.
    pub(crate) warning_count: usize,
    /// Lines that could not be read, such as those of a later version.
    pub(crate) unknown_lines: u64,
}

/// The last log line of training steps.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Training {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    pub(crate) loss: f64,
    pub(crate) top1_error: f64,
    pub(crate) top5_error: f64,
    pub(crate) lr: f64,
    pub(crate) images_per_second: f64,
    /// Share of the time that was spent waiting for images.
    pub(crate) data_wait: f64,
}

/// An evaluation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Validation {
    pub(crate) split: String,
    pub(crate) epoch: u64,
    pub(crate) loss: f64,
    pub(crate) top1_error: f64,
    pub(crate) top5_error: f64,
}

impl Validation {
    fn of(point: &EvaluationPoint) -> Self {
        Self {
            split: point.split.clone(),
            epoch: point.epoch,
            loss: point.scores.loss,
            top1_error: point.scores.top1_error,
            top5_error: point.scores.top5_error,
        }
    }
}

impl Status {
    /// Where the run stands by what was read of it.
    pub(crate) fn of(follower: &Follower) -> Self {
        let history = follower.history();
        let (start, checkpoint) = (history.start.as_ref(), follower.checkpoint());
        // A resumed run may have another number of epochs than its first line.
        let epochs = checkpoint
            .map(|state| state.recipe.epochs)
            .or_else(|| start.map(|start| start.recipe.epochs));
        let steps = epochs.map(|epochs| epochs * steps_per_epoch(history) as u64);
        let last = history.steps.last();
        let is_finished = checkpoint.is_some_and(|state| {
            state.progress.epoch > 0 && state.progress.epoch >= state.recipe.epochs
        });
        let last_step = last.map_or(0, |point| point.step);
        let is_saved =
            follower.is_saved() && checkpoint.is_some_and(|state| state.progress.step >= last_step);
        let age = follower.age();
        let activity = match age {
            _ if !follower.exists() => Activity::Waiting,
            _ if is_finished => Activity::Finished,
            _ if is_saved => Activity::Saved,
            Some(age) if age > QUIET.max(4 * usual_interval(&history.steps)) => Activity::Quiet,
            _ => Activity::Running,
        };
        let of = |views: View| history.evaluations.iter().filter(move |e| e.views == views);
        let best =
            of(View::Center).min_by(|a, b| a.scores.top1_error.total_cmp(&b.scores.top1_error));
        let first_warning = history.warnings.len().saturating_sub(WARNINGS);
        Self {
            run: follower.run().display().to_string(),
            activity,
            seconds_since_last_line: age.map(|age| age.as_secs_f64()),
            variant: start.map(|start| variant_name(start.model.variant)),
            width: start.map(|start| start.model.width),
            classes: start.map(|start| start.classes),
            train_images: start.map(|start| start.train_images),
            epochs,
            steps,
            training: last.map(|point| Training {
                epoch: point.epoch,
                step: point.step,
                loss: point.loss,
                top1_error: point.top1_error,
                top5_error: point.top5_error,
                lr: point.lr,
                images_per_second: point.images_per_second,
                data_wait: point.data_wait,
            }),
            eta_seconds: steps
                .filter(|_| !is_finished && activity != Activity::Saved)
                .and_then(|steps| eta(history, steps)),
            validation: of(View::Center).next_back().map(Validation::of),
            best: best.map(Validation::of),
            ten_views: of(View::Ten).next_back().map(Validation::of),
            guessing_top1_error: of(View::Center)
                .next_back()
                .and_then(|e| e.guessing_top1_error),
            warnings: history.warnings[first_warning..]
                .iter()
                .map(|warning| {
                    let text = warning.message.as_str();
                    let text = text
                        .strip_prefix("warning: ")
                        .or(text.strip_prefix("note: "));
                    text.unwrap_or(&warning.message).to_owned()
                })
                .collect(),
            warning_count: history.warnings.len(),
            unknown_lines: history.unknown_lines,
        }
    }

    /// What the run is: its folder, network and images.
    pub(crate) fn title(&self) -> String {
        let mut text = Printable(&self.run).to_string();
        if let (Some(variant), Some(width)) = (self.variant, self.width) {
            text += &format!("  {variant} of width {width}");
        }
        if let (Some(images), Some(classes)) = (self.train_images, self.classes) {
            text += &format!(", {images} images of {classes} classes");
        }
        text
    }

    /// What it is doing, in words.
    pub(crate) fn activity(&self) -> String {
        let age = Duration::from_secs_f64(self.seconds_since_last_line.unwrap_or_default());
        let age = in_two_units(age);
        match self.activity {
            Activity::Waiting => "waiting: there is no metrics.jsonl yet".to_owned(),
            Activity::Running => format!("running, last line {age} ago"),
            Activity::Saved => format!("stopped or between log lines; last line {age} ago"),
            Activity::Quiet => {
                format!("quiet: no line for {age}; it was stopped, or it evaluates")
            }
            Activity::Finished => {
                let trained = match self.epochs {
                    Some(1) => "finished: its one epoch is trained".to_owned(),
                    Some(epochs) => format!("finished: all {epochs} epochs are trained"),
                    None => "finished".to_owned(),
                };
                let is_logged = self.training.is_some() || self.validation.is_some();
                match is_logged {
                    true => trained,
                    false => trained + "; metrics.jsonl has no step of it",
                }
            }
        }
    }

    /// The time left, where there is any.
    pub(crate) fn eta(&self) -> Option<String> {
        let left = Duration::try_from_secs_f64(self.eta_seconds?).ok()?;
        Some(in_two_units(left))
    }

    /// The share of the steps that are done.
    pub(crate) fn share_done(&self) -> f64 {
        let done = self.training.map_or(0, |training| training.step) as f64;
        let share = done / self.steps.unwrap_or_default() as f64;
        if share.is_finite() {
            share.min(1.0)
        } else {
            0.0
        }
    }

    /// The last line of training, within 80 columns.
    pub(crate) fn training_line(&self) -> String {
        let Some(now) = self.training else {
            return "no step is logged yet".to_owned();
        };
        let of = |total: Option<u64>| total.map_or(String::new(), |total| format!("/{total}"));
        let figures = Figures {
            loss: now.loss,
            errors: Some([now.top1_error, now.top5_error]),
            images_per_second: now.images_per_second,
            data_wait: now.data_wait,
        };
        format!(
            "epoch {}{} step {}{} {figures}",
            now.epoch,
            of(self.epochs),
            now.step,
            of(self.steps)
        )
    }

    /// The last evaluation and the best one.
    pub(crate) fn validation_line(&self) -> Option<String> {
        let last = self.validation.as_ref()?;
        let mut text = format!(
            "{} after epoch {}: loss {:.4} err {:.2}/{:.2}%",
            Printable(&last.split),
            last.epoch,
            last.loss,
            last.top1_error,
            last.top5_error
        );
        if let Some(best) = &self.best {
            text += &format!("  best {:.2}% (epoch {})", best.top1_error, best.epoch);
        }
        Some(text)
    }
}

/// The usual time between log lines.
fn usual_interval(steps: &[StepPoint]) -> Duration {
    let recent = &steps[steps.len().saturating_sub(RECENT)..];
    let longest = recent
        .windows(2)
        .map(|pair| pair[1].seconds - pair[0].seconds);
    let longest = longest.fold(0.0, f64::max);
    Duration::try_from_secs_f64(longest).unwrap_or_default()
}

/// Seconds that are left of `total` steps, at the pace of the last epoch of the process that wrote last, with
/// its evaluations and checkpoints.
fn eta(history: &History, total: u64) -> Option<f64> {
    let last = history.steps.last()?;
    let since = last.step.saturating_sub(steps_per_epoch(history) as u64);
    // A process that goes on counts its seconds from 0.
    let same_process = history
        .steps
        .windows(2)
        .rposition(|pair| pair[1].seconds < pair[0].seconds)
        .map_or(0, |before| before + 1);
    let steps = &history.steps[same_process..];
    let first = steps.iter().find(|point| point.step >= since)?;
    let (done, seconds) = (last.step - first.step, last.seconds - first.seconds);
    let seconds_per_step = if done > 0 && seconds > 0.0 {
        seconds / done as f64
    } else {
        let images = history.start.as_ref()?.recipe.step_images() as f64;
        images / last.images_per_second
    };
    Some(total.saturating_sub(last.step) as f64 * seconds_per_step)
}

/// A run's state with its curves, as text.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    #[serde(flatten)]
    pub(crate) status: Status,
    #[serde(skip)]
    pub(crate) curves: Curves,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, curves) = (&self.status, &self.curves);
        writeln!(f, "run         {}", status.title())?;
        writeln!(f, "state       {}", status.activity())?;
        writeln!(f, "training    {}", status.training_line())?;
        if let Some(line) = status.validation_line() {
            writeln!(f, "validation  {line}")?;
        }
        if let Some(ten) = &status.ten_views {
            writeln!(
                f,
                "ten views   {}: err {:.2}/{:.2}%",
                Printable(&ten.split),
                ten.top1_error,
                ten.top5_error
            )?;
        }
        if let Some(guessing) = status.guessing_top1_error {
            writeln!(
                f,
                "guessing    err {guessing:.2}% by always naming the most frequent class"
            )?;
        }
        if let Some(eta) = status.eta() {
            writeln!(f, "eta         {eta}")?;
        }
        for (name, curve, digits) in [
            ("loss", &curves.loss, 4),
            ("top-1 %", &curves.top1, 1),
            ("top-5 %", &curves.top5, 1),
            ("val loss", &curves.val_loss, 4),
            ("val top-1 %", &curves.val_top1, 2),
            ("val top-5 %", &curves.val_top5, 2),
            ("rate", &curves.lr, 6),
            ("img/s", &curves.speed, 0),
            ("wait %", &curves.wait, 1),
        ] {
            write_curve(f, name, curve, digits)?;
        }
        for warning in &status.warnings {
            writeln!(f, "warned      {}", Printable(warning))?;
        }
        if status.unknown_lines > 0 {
            writeln!(
                f,
                "note: {} lines of metrics.jsonl could not be read, such as those of a later version",
                status.unknown_lines
            )?;
        }
        Ok(())
    }
}

/// A name, a curve, and its range, within 80 columns.
fn write_curve(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    curve: &Curve,
    digits: usize,
) -> fmt::Result {
    let (Some([least, largest]), Some(last)) = (range(curve), curve.last()) else {
        return Ok(());
    };
    let line = sparkline(curve, 30);
    writeln!(
        f,
        "{name:<11} {line}  {:.digits$} (from {least:.digits$} to {largest:.digits$})",
        last.1
    )
}
