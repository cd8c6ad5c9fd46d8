//! Works through the arms of a study, one after the other.

use std::path::Path;

use crate::report::text::duration;
use crate::run::View;
use crate::run::log::Screen;
use crate::study::arm::Arm;
use crate::study::catalogue::{Kind, Study};
use crate::study::error::StudyError;
use crate::study::findings::{Findings, Searched, Trial};
use crate::study::job::{Job, Workplace};
use crate::study::pace::{Pace, time_step};
use crate::study::plan::Plan;
use crate::study::result::{ArmResult, Ending, Settings, result_path};
use crate::study::search::{Next, Search, Tried};
use crate::study::search_state::{Searches, state};
use crate::study::settings_text::{self, counted};

/// Trains what is missing of the arms of a study.
pub(crate) struct Execution<'a> {
    /// The study.
    pub(crate) study: &'a Study,
    /// Its settings.
    pub(crate) plan: &'a Plan,
    /// The arms to train and to report on.
    pub(crate) arms: Vec<&'static Arm>,
    /// The folder of the results.
    pub(crate) results: &'a Path,
    /// Where to train; `None`: only what is there already is gathered.
    pub(crate) place: Option<&'a Workplace>,
    /// Seconds of an epoch, as far as they are known.
    pub(crate) pace: Option<Pace>,
    /// What is shown.
    pub(crate) screen: Screen,
}

impl Execution<'_> {
    /// Trains every arm with every seed, or gathers what is there; seed by seed, so that a study that is
    /// interrupted has about as many trials of each arm.
    ///
    /// # Errors
    /// Results of other settings, a run that cannot be trained, or what the file system refuses.
    pub(crate) fn run(&mut self) -> Result<Findings, StudyError> {
        // Everything that is there is read first, so that nothing is trained beside results of other settings.
        self.plan.check(self.results)?;
        self.introduce()?;
        if self.place.is_some() {
            self.plan.keep(self.results)?;
        }
        let mut searches = Vec::new();
        if let Some(search) = &self.plan.search {
            for arm in self.arms.clone() {
                searches.push(self.search(search, arm)?);
            }
        }
        let (mut trials, mut missing) = (Vec::new(), Vec::new());
        for seed in 1..=self.plan.seeds {
            for arm in self.arms.clone() {
                let rate = searches.iter().find(|searched| searched.arm == arm.name);
                let result = match rate.map(|searched| searched.rate) {
                    Some(None) => None,
                    rate => {
                        let job = trial(self.study, self.plan, arm, seed, rate.flatten())?;
                        self.obtain(&job, &trials)?
                    }
                };
                match result {
                    Some(result) => trials.push(result),
                    None => missing.push(Trial {
                        arm: arm.name.to_owned(),
                        seed,
                    }),
                }
            }
        }
        let place = |arm: &str| self.arms.iter().position(|other| other.name == arm);
        trials.sort_by_key(|trial: &ArmResult| (place(&trial.settings.arm), trial.settings.seed));
        Ok(Findings {
            plan: self.plan.clone(),
            searches,
            trials,
            missing,
            further: self.plan.further_seeds(self.results, &self.arms),
        })
    }

    /// Says what is about to be done, and how long it will take.
    fn introduce(&mut self) -> Result<(), StudyError> {
        let plan = self.plan;
        let arms: Vec<&str> = self.arms.iter().map(|arm| arm.name).collect();
        self.screen.say(format_args!(
            "study     {}: {}\narms      {}; {}",
            self.study.name,
            self.study.about,
            arms.join(", "),
            settings_text::trials(plan.seeds, "")
        ));
        let mut known = 0;
        let mut left = Vec::new();
        for seed in 1..=plan.seeds {
            for arm in &self.arms {
                // The rate of a race is not known here, so its trials are only looked for.
                let job = trial(self.study, self.plan, arm, seed, None)?;
                let is_there = match plan.search {
                    Some(_) => result_path(self.results, arm.name, seed).is_file(),
                    None => job.known(self.results)?.is_some(),
                };
                if is_there {
                    known += 1;
                } else {
                    left.push(job);
                }
            }
        }
        self.screen.say(format_args!(
            "results   {} of {} are in {}",
            known,
            known + left.len(),
            self.results.display()
        ));
        let (Some(place), Some(first)) = (self.place, left.first()) else {
            return Ok(());
        };
        let pace = match self.pace {
            Some(pace) => pace,
            None => Pace::of(first, time_step(place, first)?),
        };
        self.pace = Some(pace);
        let epochs = plan.recipe.epochs;
        let trials: f64 = left.len() as f64 * pace.seconds(epochs as f64);
        let mut text = match plan.training_error.enough {
            Some(enough) => format!(
                "budget    at most {} x {}, {} at most: each ends at a training error of \
                 {enough}%",
                counted(left.len() as u64, "trial"),
                counted(epochs, "epoch"),
                duration(trials)
            ),
            None => format!(
                "budget    {} x {}: about {}",
                counted(left.len() as u64, "trial"),
                counted(epochs, "epoch"),
                duration(trials)
            ),
        };
        if let Some(search) = &plan.search {
            let total = self.arms.len() as u64 * search.total_epochs();
            let searches = Searches {
                search,
                arms: &self.arms,
                results: self.results,
                level: plan.training_error.enough.unwrap_or_default(),
            };
            let state =
                searches.state(|arm, rate, epochs| self.attempt(search, arm, rate, epochs))?;
            text = format!(
                "search    {} rates x {} epochs, {} of them to {} epochs, for each arm: {total} epochs, whatever \
                 --epochs is\n          {} of {} results are known; {} are left, about {}\n          up to {} more \
                 rates are tried for an arm whose best is at an end\n{text}",
                search.rates.len(),
                search.epochs,
                search.kept,
                search.kept_epochs,
                state.known,
                state.rates,
                counted(state.epochs, "epoch"),
                duration(state.epochs as f64 * pace.epoch),
                search.added
            );
        }
        self.screen.say(text);
        Ok(())
    }

    /// The job of a rate in the search for an arm's.
    fn attempt(
        &self,
        search: &Search,
        arm: &Arm,
        rate: f64,
        epochs: u64,
    ) -> Result<Job, StudyError> {
        let mut job = trial(self.study, self.plan, arm, search.seed, Some(rate))?;
        job.settings.arm = format!("{}-lr{rate}", arm.name);
        job.settings.recipe.epochs = search.kept_epochs;
        job.epochs = Some(epochs);
        Ok(job)
    }

    /// Searches for an arm's rate.
    fn search(&mut self, search: &Search, arm: &Arm) -> Result<Searched, StudyError> {
        let level = self.plan.training_error.enough.unwrap_or_default();
        let mut tried: Vec<ArmResult> = Vec::new();
        let mut searched = Searched {
            arm: arm.name.to_owned(),
            tried: Vec::new(),
            rate: None,
            at_edge: false,
        };
        loop {
            let tried_so_far: Vec<Tried> = tried.iter().map(state).collect();
            match search.next(&tried_so_far, level) {
                Next::Try { rate, epochs } => {
                    let job = self.attempt(search, arm, rate, epochs)?;
                    let Some(result) = self.obtain(&job, &[])? else {
                        break;
                    };
                    // A result that does not bring the search on would be asked for again and again.
                    if !state(&result).is_done(epochs, level) {
                        return Err(StudyError::Wrong(format!(
                            "{} has no measurement of the training error after {epochs} epochs; delete it, and its \
                             arm is trained again",
                            result_path(self.results, &job.settings.arm, search.seed).display()
                        )));
                    }
                    tried.retain(|tried| tried.settings.arm != result.settings.arm);
                    tried.push(result);
                }
                Next::Chosen { rate, at_edge } => {
                    (searched.rate, searched.at_edge) = (Some(rate), at_edge);
                    self.screen.say(format_args!(
                        "{}: lr {rate} is chosen{}",
                        arm.name,
                        match at_edge {
                            true => ", at the edge of the rates that were tried: a further one may be faster",
                            false => "",
                        }
                    ));
                    break;
                }
                Next::Hopeless => {
                    return Err(StudyError::Wrong(format!(
                        "arm {}: training diverges at every rate of the search; set lower ones",
                        arm.name
                    )));
                }
            }
        }
        tried.sort_by(|a, b| a.settings.recipe.lr.total_cmp(&b.settings.recipe.lr));
        searched.tried = tried;
        Ok(searched)
    }

    /// The result of a job: from its file, or by training it. `None`: it is not there, and a stop was asked for
    /// or nothing is trained.
    fn obtain(&mut self, job: &Job, trials: &[ArmResult]) -> Result<Option<ArmResult>, StudyError> {
        if let Some(known) = job.known(self.results)? {
            return Ok(Some(known));
        }
        let Some(place) = self.place.filter(|place| !place.stop.is_requested()) else {
            return Ok(None);
        };
        let Settings {
            arm, seed, recipe, ..
        } = &job.settings;
        let epochs = job.epochs.unwrap_or(recipe.epochs);
        // What the arm's other trials took.
        let before: Vec<f64> = trials
            .iter()
            .filter(|trial| trial.settings.arm == *arm)
            .map(|trial| trial.epochs)
            .collect();
        let expected = before.iter().sum::<f64>() / before.len().max(1) as f64;
        let expected = if before.is_empty() {
            epochs as f64
        } else {
            expected
        };
        let time = self
            .pace
            .map(|pace| format!(", about {}", duration(pace.seconds(expected))));
        self.screen.say(format_args!(
            "\n{arm}, seed {seed}: {}{} at lr {}{}",
            if job.settings.training_error.enough.is_some() {
                "at most "
            } else {
                ""
            },
            counted(epochs, "epoch"),
            recipe.lr,
            time.unwrap_or_default()
        ));
        let Some(result) = job.train(place)? else {
            return Ok(None);
        };
        if let (Some(pace), true) = (&mut self.pace, result.epochs > 0.0) {
            pace.epoch = (result.seconds - pace.end).max(0.0) / result.epochs;
        }
        self.screen
            .say(format_args!("{arm}, seed {seed}: {}", outcome(&result)));
        Ok(Some(result))
    }
}

/// The job of one trial, at a rate that a search has chosen, where it is given.
///
/// # Errors
/// An arm that does not go with the settings.
pub(crate) fn trial(
    study: &Study,
    plan: &Plan,
    arm: &Arm,
    seed: u64,
    rate: Option<f64>,
) -> Result<Job, StudyError> {
    let mut setup = plan.arm(arm)?;
    setup.recipe.lr = rate.unwrap_or(setup.recipe.lr);
    let race = study.kind == Kind::Race;
    Ok(Job {
        settings: Settings {
            study: plan.study.clone(),
            arm: arm.name.to_owned(),
            seed,
            dataset: plan.dataset.clone(),
            recipe: setup.recipe,
            model: setup.model,
            training_error: plan.training_error,
        },
        epochs: None,
        eval_every: u64::from(!race),
        views: if race {
            Vec::new()
        } else {
            vec![View::Center, View::Ten]
        },
    })
}

/// A result in words.
fn outcome(result: &ArmResult) -> String {
    let training = result.training.map_or(f64::NAN, |scores| scores.top1_error);
    let time = duration(result.seconds);
    match (result.ending, result.center) {
        (Ending::NotFinite, _) => format!("not finite after {:.2} epochs", result.epochs),
        (Ending::Reached, _) => {
            format!(
                "training error {training:.2}% after {:.2} epochs, {time}",
                result.epochs
            )
        }
        (Ending::Epochs, Some(center)) => format!(
            "after {:.2} epochs: training error {training:.2}%, validation error {:.2}%, {time}",
            result.epochs, center.top1_error
        ),
        (Ending::Epochs, None) => {
            format!(
                "training error {training:.2}% after {:.2} epochs, {time}",
                result.epochs
            )
        }
    }
}
