//! The number of epochs with which a study takes a given time.

use crate::report::text::duration;
use crate::run::log::Screen;
use crate::study::catalogue::Study;
use crate::study::dataset::DatasetIdentity;
use crate::study::error::StudyError;
use crate::study::execute::trial;
use crate::study::job::Workplace;
use crate::study::pace::{Pace, epochs_within, time_step};
use crate::study::plan::{MOST_EPOCHS, Plan, Request};

/// The time that a study may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget<'a> {
    /// The study.
    pub(crate) study: &'static Study,
    /// Its settings, without a number of epochs.
    pub(crate) request: &'a Request,
    /// What it trains on.
    pub(crate) dataset: &'a DatasetIdentity,
    /// Minutes of all trials of all arms, and of the search for rates where there is one.
    pub(crate) minutes: f64,
}

/// Ten years.
const MOST_MINUTES: f64 = 10.0 * 365.0 * 24.0 * 60.0;

impl Budget<'_> {
    /// The number of epochs of every arm: a few steps of each are timed. `None` if a stop was asked for.
    ///
    /// # Errors
    /// A time in which no arm can be trained for an epoch, or arms that cannot be trained at all.
    pub(crate) fn epochs(
        &self,
        place: &Workplace,
        screen: &Screen,
    ) -> Result<Option<u64>, StudyError> {
        if !self.minutes.is_finite() || self.minutes <= 0.0 {
            return Err(StudyError::Wrong("`--minutes` must be above 0".to_owned()));
        }
        if self.minutes > MOST_MINUTES {
            return Err(StudyError::Wrong(format!(
                "`--minutes` is {}, and a study takes at most {MOST_MINUTES}, ten years; give fewer",
                self.minutes
            )));
        }
        // For the timing any number will do.
        let request = Request {
            epochs: Some(1),
            ..self.request.clone()
        };
        let plan = Plan::new(self.study, &request, self.dataset.clone(), None)?;
        let mut paces = Vec::new();
        for arm in self.study.arms {
            let job = trial(self.study, &plan, arm, 1, None)?;
            let step = time_step(place, &job)?;
            if place.stop.is_requested() {
                return Ok(None);
            }
            screen.say(format_args!("timing    {}: {step:.3} s a step", arm.name));
            paces.push(Pace::of(&job, step));
        }
        let search = plan
            .search
            .as_ref()
            .map_or(0, |search| search.total_epochs());
        let searching: f64 = paces.iter().map(|pace| pace.epoch * search as f64).sum();
        let seconds = 60.0 * self.minutes - searching;
        let epochs = epochs_within(&paces, plan.seeds, seconds).min(MOST_EPOCHS);
        if epochs == 0 {
            let one: f64 = paces.iter().map(|pace| pace.seconds(1.0)).sum();
            return Err(StudyError::Wrong(format!(
                "{} arms with {} trials of a single epoch take about {}{}; give more `--minutes`, fewer `--seeds`, \
                 a smaller `--width`, or a subset of the images (`prep subset --per-class N`)",
                paces.len(),
                plan.seeds,
                duration(one * plan.seeds as f64),
                match searching > 0.0 {
                    true => format!(", after a search of {}", duration(searching)),
                    false => String::new(),
                }
            )));
        }
        screen.say(format_args!(
            "epochs    {epochs} for every arm, so that the study takes about {} min",
            self.minutes
        ));
        Ok(Some(epochs))
    }
}
