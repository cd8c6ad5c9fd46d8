//! What a checkpoint says besides its tensors.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shardmill_formats::Class;

use crate::checkpoint::{META_VERSION, VERSION};
use crate::net::config::ModelConfig;
use crate::net::scores::{Scores, Tally};
use crate::recipe::Recipe;
use crate::recipe::schedule::ScheduleState;

const FORMAT: &str = "shardmill-checkpoint";
const META_FORMAT: &str = "format";

/// A run without its tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    /// The seed that everything random follows from.
    pub seed: u64,
    /// How the network is trained.
    pub recipe: Recipe,
    /// What the network is made of.
    pub model: ModelConfig,
    /// The classes; a label is an index into them.
    pub classes: Vec<Class>,
    /// What is done to pixels before the network sees them.
    pub pixels: PixelStatistics,
    /// Where the learning rate's schedule stands.
    pub schedule: ScheduleState,
    /// Where the run stands.
    pub progress: Progress,
}

/// Colours of the training split on the 0-255 scale, in the order R, G, B.
///
/// A network is evaluated with those that it was trained with, whatever the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelStatistics {
    /// Mean of each channel.
    pub mean: [f64; 3],
    /// Standard deviation of each channel.
    pub std: [f64; 3],
}

/// Where a run stands: with the seed, the first two say which images come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Finished epochs.
    pub epoch: u64,
    /// Images consumed of the epoch after those.
    pub samples: u64,
    /// Steps since the run began.
    pub step: u64,
    /// Images in the training split.
    pub records: u64,
    /// The scores since the last log line.
    pub window: Tally,
    /// The largest norm of a step's gradient since the last log line.
    #[serde(default)]
    #[serde(rename = "steepest")]
    pub largest_norm: f64,
    /// The scores of this epoch.
    pub whole_epoch: Tally,
    /// The scores of the steps whose mean loss is examined next, to find out whether anything is learned.
    pub early: Tally,
    /// Whether the loss has left its starting point; true for checkpoints that do not record it.
    #[serde(default = "yes")]
    pub has_learned: bool,
    /// Step of the last warning that nothing is learned; 0 for none.
    #[serde(default)]
    pub warned: u64,
    /// Scores of the last evaluation of the validation split from the centre view.
    pub center: Option<Scores>,
    /// The lowest top-1 error so far, in percent.
    pub best_error: Option<f64>,
    /// Lines of the metrics file.
    pub metrics_lines: u64,
}

const fn yes() -> bool {
    true
}

impl RunState {
    /// The state of a network that was not trained here: the paper's recipe, and no steps.
    #[must_use]
    pub fn unborn(model: ModelConfig, classes: Vec<Class>, pixels: PixelStatistics) -> Self {
        Self {
            seed: 0,
            recipe: Recipe::default(),
            model,
            classes,
            pixels,
            schedule: ScheduleState::default(),
            progress: Progress::default(),
        }
    }

    /// As strings for `__metadata__`, without the checksum.
    pub(crate) fn to_strings(&self) -> BTreeMap<String, String> {
        fn json(value: &impl Serialize) -> String {
            serde_json::to_string(value).expect("plain data becomes JSON")
        }
        [
            (META_FORMAT, FORMAT.to_owned()),
            (META_VERSION, VERSION.to_owned()),
            ("seed", self.seed.to_string()),
            ("recipe", json(&self.recipe)),
            ("model", json(&self.model)),
            ("classes", json(&self.classes)),
            ("pixels", json(&self.pixels)),
            ("schedule", json(&self.schedule)),
            ("progress", json(&self.progress)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// Reads what [`to_strings`](Self::to_strings) gave; the error says what is wrong.
    pub(crate) fn from_strings(strings: &BTreeMap<String, String>) -> Result<Self, String> {
        fn json<T: DeserializeOwned>(
            strings: &BTreeMap<String, String>,
            key: &str,
        ) -> Result<T, String> {
            let value = strings
                .get(key)
                .ok_or_else(|| format!("it has no {key:?}"))?;
            serde_json::from_str(value).map_err(|error| format!("its {key:?} is wrong: {error}"))
        }
        if strings
            .get(META_FORMAT)
            .is_none_or(|format| format != FORMAT)
        {
            return Err(format!("its format is not {FORMAT:?}"));
        }
        let mut state = Self {
            seed: json(strings, "seed")?,
            recipe: json(strings, "recipe")?,
            model: json(strings, "model")?,
            classes: json(strings, "classes")?,
            pixels: json(strings, "pixels")?,
            schedule: json(strings, "schedule")?,
            progress: json(strings, "progress")?,
        };
        state.schedule.count_evaluations(state.progress.epoch);
        if let Some(problem) = state.recipe.problem() {
            return Err(problem);
        }
        if state.model.classes != state.classes.len() {
            return Err(format!(
                "its network has {} outputs for {} classes",
                state.model.classes,
                state.classes.len()
            ));
        }
        Ok(state)
    }
}
