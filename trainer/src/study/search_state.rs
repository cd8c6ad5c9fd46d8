//! How much of the searches for rates is done already.

use std::path::Path;

use crate::study::arm::Arm;
use crate::study::error::StudyError;
use crate::study::job::Job;
use crate::study::result::{ArmResult, Ending};
use crate::study::search::{Next, Search, Tried};

/// How much of the searches of a study is done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SearchState {
    /// Rates with a result.
    pub(super) known: usize,
    /// Rates of the grids, and those that were added.
    pub(super) rates: usize,
    /// Epochs that are left, unless a grid grows.
    pub(super) epochs: u64,
}

/// A search's view of a result.
pub(super) fn state(result: &ArmResult) -> Tried {
    Tried {
        rate: result.settings.recipe.lr,
        curve: result.training_curve(),
        diverged: result.ending == Ending::NotFinite,
    }
}

/// The searches of a study, and where their results are.
pub(super) struct Searches<'a> {
    pub(super) search: &'a Search,
    pub(super) arms: &'a [&'static Arm],
    pub(super) results: &'a Path,
    /// The training error in percent that trials race to.
    pub(super) level: f64,
}

impl Searches<'_> {
    /// How much of the searches is done: follows each as far as its results are there. `attempt` is the job of an
    /// arm with a rate, to a number of epochs.
    pub(super) fn state(
        &self,
        attempt: impl Fn(&Arm, f64, u64) -> Result<Job, StudyError>,
    ) -> Result<SearchState, StudyError> {
        let (search, level) = (self.search, self.level);
        let mut found = SearchState::default();
        for arm in self.arms {
            // The grid first: what is asked for next depends on it.
            let mut tried: Vec<ArmResult> = Vec::new();
            for &rate in &search.rates {
                let job = attempt(arm, rate, search.epochs)?;
                tried.extend(job.known(self.results)?);
            }
            let mut left = search.total_epochs();
            let grid = tried.len();
            let next = loop {
                let state: Vec<Tried> = tried.iter().map(state).collect();
                let next = search.next(&state, level);
                let Next::Try { rate, epochs } = next else {
                    break next;
                };
                let known = attempt(arm, rate, epochs)?.known(self.results)?;
                let Some(result) =
                    known.filter(|result| self::state(result).is_done(epochs, level))
                else {
                    break next;
                };
                tried.retain(|tried| tried.settings.arm != result.settings.arm);
                tried.push(result);
            };
            let mut added = (tried.len() - grid) as u64;
            if let Next::Try { rate, .. } = next {
                let is_tried = tried.iter().any(|tried| tried.settings.recipe.lr == rate);
                added += u64::from(!is_tried && !search.rates.contains(&rate));
            }
            left += added * search.epochs;
            let done: f64 = tried
                .iter()
                .map(|tried| match tried.ending {
                    Ending::Epochs => tried.epochs,
                    // What ended early is not gone on with.
                    _ if tried.epochs > search.epochs as f64 => search.kept_epochs as f64,
                    _ => search.epochs as f64,
                })
                .sum();
            found.known += tried.len();
            found.rates += search.rates.len() + added as usize;
            found.epochs += match next {
                Next::Try { .. } => left.saturating_sub(done as u64),
                _ => 0,
            };
        }
        Ok(found)
    }
}
