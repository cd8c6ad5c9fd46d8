//! The settings of a study: what all of its results have in common.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::net::config::ModelConfig;
use crate::net::layer::layers;
use crate::recipe::Recipe;
use crate::recipe::difference::{Difference, differences};
use crate::recipe::schedule::ScheduleConfig;
use crate::recipe::setup::Setup;
use crate::run::error::TrainError;
use crate::run::{FEW_CLASSES, TrainingError};
use crate::study::arm::Arm;
use crate::study::catalogue::{Kind, Study};
use crate::study::dataset::DatasetIdentity;
use crate::study::error::StudyError;
use crate::study::json_file::write_json;
use crate::study::same_arms::{Common, check_arms};
use crate::study::search::Search;

/// The settings of a study, in `study.json` beside its results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// Version of this format.
    pub(crate) version: u32,
    /// The study.
    pub(crate) study: String,
    /// The recipe that the settings started from, by its name or file name.
    pub(crate) base: String,
    /// Trials of each arm, with the seeds 1, 2, 3 and so on.
    pub(crate) seeds: u64,
    /// What is trained and measured on.
    pub(crate) dataset: DatasetIdentity,
    /// How the error on training images is measured.
    pub(crate) training_error: TrainingError,
    /// How the rates are searched for, where they are.
    pub(crate) search: Option<Search>,
    /// The recipe that the arms change, with the number of epochs.
    pub(crate) recipe: Recipe,
    /// The network that the arms change.
    pub(crate) model: ModelConfig,
}

/// What was asked for; what was not is as it was, or the study's default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// A recipe's name or file.
    pub(crate) recipe: Option<String>,
    /// Values that replace the recipe's.
    pub(crate) sets: Vec<String>,
    /// Epochs of every arm.
    pub(crate) epochs: Option<u64>,
    /// The network's width.
    pub(crate) width: Option<f64>,
    /// Side of the window that the network sees.
    pub(crate) crop: Option<usize>,
    /// Trials of each arm.
    pub(crate) seeds: Option<u64>,
}

const VERSION: u32 = 1;

/// The name of the file.
const PLAN: &str = "study.json";

/// Trials of each arm unless another number is asked for.
const SEEDS: u64 = 3;

/// The most trials of an arm: each is looked for in a file of its own.
const MOST_SEEDS: u64 = 1000;

/// The most epochs of an arm; more are a slip of the hand.
pub(super) const MOST_EPOCHS: u64 = 100_000;

/// Epochs after which an arm of a race gives up: a little more than tanh takes in the paper's Fig. 1.
const RACE_EPOCHS: u64 = 40;

/// Epochs of an arm of a comparison unless another number is asked for.
const COMPARISON_EPOCHS: u64 = 10;

/// The training error in percent that a race ends at. Paper, Fig. 1.
const RACE_ERROR: f64 = 25.0;

/// Images that the training error is measured on: its standard error at 25% is 0.43 points.
const MEASURED_IMAGES: u64 = 10_000;

/// Images that the training error at the end of a comparison is measured on.
const MEASURED_AT_END: u64 = 2_000;

/// Measurements in an epoch of a race.
const MEASUREMENTS: u64 = 2;

impl Plan {
    /// The settings that `request` asks for: those of `stored`, where a study has begun already, or new ones.
    ///
    /// # Errors
    /// Settings that are no network or recipe, or that are not those of the study that has begun.
    pub(crate) fn new(
        study: &Study,
        request: &Request,
        dataset: DatasetIdentity,
        stored: Option<&Self>,
    ) -> Result<Self, StudyError> {
        let few = dataset.classes < FEW_CLASSES;
        let default = match study.kind {
            Kind::Race => "fig1",
            _ if few => "small",
            _ => "paper",
        };
        let name = match (&request.recipe, stored) {
            (Some(name), _) => name.as_str(),
            (None, Some(stored)) => &stored.base,
            (None, None) => default,
        };
        let mut setup = match stored.filter(|_| request.recipe.is_none()) {
            Some(stored) => stored.setup(),
            None => Setup::open(name)?.set_all(study.base.iter().copied())?,
        };
        let begins_new = stored.is_none() || request.recipe.is_some();
        setup = setup.set_all(request.sets.iter().map(String::as_str))?;
        setup.model.width = request.width.unwrap_or(setup.model.width);
        setup.model.input_size = request.crop.unwrap_or(setup.model.input_size);
        setup.model.classes = dataset.classes;
        let epochs = request.epochs.or(stored.map(|plan| plan.recipe.epochs));
        let chosen = request
            .sets
            .iter()
            .any(|set| set.trim_start().starts_with("epochs"));
        setup.recipe.epochs = match (epochs, study.kind) {
            (None, _) if chosen => setup.recipe.epochs,
            (Some(epochs), _) => epochs,
            (None, Kind::Race) => RACE_EPOCHS,
            (None, _) => COMPARISON_EPOCHS,
        };
        let chosen = request
            .sets
            .iter()
            .any(|set| set.trim_start().starts_with("schedule"));
        // A rule that followed from the number of epochs follows from the new one.
        let ours =
            stored.is_some_and(|plan| plan.recipe.schedule == last_fifth(plan.recipe.epochs));
        if !chosen && study.kind == Kind::Race {
            setup.recipe.schedule = ScheduleConfig::steps(Vec::new());
        } else if !chosen
            && (ours
                || matches!(setup.recipe.schedule, ScheduleConfig::Plateau { .. }) && begins_new)
        {
            setup.recipe.schedule = last_fifth(setup.recipe.epochs);
        }
        let race = study.kind == Kind::Race;
        let measured = TrainingError {
            images: if race {
                MEASURED_IMAGES
            } else {
                MEASURED_AT_END
            },
            per_epoch: if race { MEASUREMENTS } else { 0 },
            enough: race.then_some(RACE_ERROR),
        };
        let plan = Self {
            version: VERSION,
            study: study.name.to_owned(),
            base: base_name(name),
            seeds: request
                .seeds
                .or(stored.map(|plan| plan.seeds))
                .unwrap_or(SEEDS),
            dataset,
            // What a later version would choose is not asked for.
            training_error: stored.map_or(measured, |plan| plan.training_error),
            search: stored.map_or_else(|| race.then(Search::default), |plan| plan.search.clone()),
            recipe: setup.recipe,
            model: setup.model,
        };
        if plan.seeds == 0 {
            return Err(StudyError::Wrong("`--seeds` must be at least 1".to_owned()));
        }
        within("--seeds", plan.seeds, MOST_SEEDS)?;
        within("--epochs", plan.recipe.epochs, MOST_EPOCHS)?;
        let common = Common {
            recipe: &plan.base,
            setup: &plan.setup(),
            has_sets: !request.sets.is_empty(),
        };
        check_arms(study, common, |arm| plan.arm(arm))?;
        Ok(plan)
    }

    /// The recipe and network that the arms change.
    pub(crate) fn setup(&self) -> Setup {
        Setup {
            recipe: self.recipe.clone(),
            model: self.model.clone(),
        }
    }

    /// The recipe and network of an arm.
    ///
    /// # Errors
    /// A change that does not go with the recipe or the network.
    pub(crate) fn arm(&self, arm: &Arm) -> Result<Setup, StudyError> {
        let wrong = |source| StudyError::Arm {
            arm: arm.name.to_owned(),
            source: Box::new(source),
        };
        let setup = self
            .setup()
            .set_all(arm.sets.iter().copied())
            .map_err(wrong)?;
        if let Some(problem) = setup.recipe.problem() {
            return Err(TrainError::Recipe(problem).into());
        }
        layers(&setup.model).map_err(|source| StudyError::Network {
            arm: arm.name.to_owned(),
            source,
        })?;
        Ok(setup)
    }

    /// The file of the settings.
    pub(crate) fn path(results: &Path) -> PathBuf {
        results.join(PLAN)
    }

    /// The settings of the study that has begun in `results`, where one has.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(results: &Path) -> Result<Option<Self>, StudyError> {
        let path = Self::path(results);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StudyError::io("read", &path)(error)),
        };
        let plan = serde_json::from_slice(&text).map_err(|source| StudyError::Broken {
            path,
            what: "the settings of a study",
            remade: "what the flags say",
            source,
        })?;
        Ok(Some(plan))
    }

    /// Checks that the results in `results`, if there are any, are of these settings; only the number of trials
    /// may be another.
    ///
    /// # Errors
    /// Other settings, or what the file system refuses.
    pub(crate) fn check(&self, results: &Path) -> Result<(), StudyError> {
        let Some(stored) = Self::read(results)?.filter(|_| Self::results_in(results) > 0) else {
            return Ok(());
        };
        let stored = Self {
            seeds: self.seeds,
            ..stored
        };
        match differences(&stored, self).into_iter().next() {
            Some(Difference { key, first, second }) => Err(StudyError::OtherSettings {
                path: Self::path(results),
                key,
                stored: first,
                given: second,
            }),
            None => Ok(()),
        }
    }

    /// Writes the settings to `results`, after a [`check`](Self::check). A number of trials that is less than the
    /// one there is of this call alone, and is not written.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(crate) fn keep(&self, results: &Path) -> Result<(), StudyError> {
        let stored = Self::read(results)?;
        let before = stored.as_ref().map_or(0, |stored| stored.seeds);
        let kept = Self {
            seeds: self.seeds.max(before),
            ..self.clone()
        };
        match stored {
            Some(stored) if stored == kept => Ok(()),
            _ => write_json(&Self::path(results), &kept),
        }
    }

    /// Number of files of results in a folder; 0 where it cannot be read.
    pub(crate) fn results_in(results: &Path) -> usize {
        let entries = fs::read_dir(results).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter(|name| name.ends_with(".json") && name != PLAN)
            .count()
    }

    /// Further seeds in `results` of any of some arms, which these settings leave out.
    pub(crate) fn further_seeds(&self, results: &Path, arms: &[&Arm]) -> Vec<u64> {
        let entries = fs::read_dir(results).into_iter().flatten().flatten();
        let mut seeds: Vec<u64> = entries
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let (arm, seed) = name.strip_suffix(".json")?.rsplit_once('-')?;
                let seed = seed.parse().ok()?;
                (arms.iter().any(|own| own.name == arm) && seed > self.seeds).then_some(seed)
            })
            .collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }
}

/// Checks that a number of the command line is at most `most`.
fn within(flag: &str, given: u64, most: u64) -> Result<(), StudyError> {
    if given <= most {
        return Ok(());
    }
    Err(StudyError::Wrong(format!(
        "`{flag}` is {given}, and a study takes at most {most}; give fewer"
    )))
}

/// The split to validate on that `request` asks for.
///
/// # Errors
/// A recipe that cannot be read.
pub(crate) fn val_split(
    request: &Request,
    stored: Option<&Plan>,
) -> Result<Option<String>, StudyError> {
    let base = match (&request.recipe, stored) {
        (Some(name), _) => Setup::open(name)?,
        (None, Some(stored)) => stored.setup(),
        (None, None) => Setup::default(),
    };
    let setup = base.set_all(request.sets.iter().map(String::as_str))?;
    Ok(setup.recipe.val_split)
}

/// The rule by which the rate of a comparison falls, where its recipe names no epochs itself: once, for the last
/// fifth of the epochs, so that the last errors are not those of large steps.
fn last_fifth(epochs: u64) -> ScheduleConfig {
    let last = epochs / 5;
    let falls = (last > 0).then(|| epochs - last);
    ScheduleConfig::steps(falls.into_iter().collect())
}

/// A recipe's name; of a file, its name without the folders.
fn base_name(name: &str) -> String {
    let file = Path::new(name).file_name();
    file.map_or_else(
        || name.to_owned(),
        |file| file.to_string_lossy().into_owned(),
    )
}
