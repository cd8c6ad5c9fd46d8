//! What the trials of a comparison say: errors of every arm, and how much they differ from the first arm's.

use serde::Serialize;

use crate::net::scores::Scores;
use crate::study::arm::Arm;
use crate::study::catalogue::Study;
use crate::study::result::{ArmResult, Ending};
use crate::study::statistics::Sample;

/// An error that arms are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// Top-1 error on the validation split from ten views.
    TenTop1,
    /// Top-5 error from ten views.
    TenTop5,
    /// Top-1 error from the centre view.
    CenterTop1,
    /// Top-5 error from the centre view.
    CenterTop5,
    /// Top-1 error on training images without augmentation.
    Training,
}

impl Measure {
    /// All of them, in the order of a table.
    pub(crate) const ALL: [Self; 5] = [
        Self::TenTop1,
        Self::TenTop5,
        Self::CenterTop1,
        Self::CenterTop5,
        Self::Training,
    ];

    /// In the head of a table.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::TenTop1 => "ten views top-1",
            Self::TenTop5 => "ten views top-5",
            Self::CenterTop1 => "centre top-1",
            Self::CenterTop5 => "centre top-5",
            Self::Training => "training top-1",
        }
    }

    /// The error of a trial in percent; `None` where it was not measured, or training was not finite.
    pub(crate) fn of(self, trial: &ArmResult) -> Option<f64> {
        if trial.ending == Ending::NotFinite {
            return None;
        }
        let top1 = |scores: Option<Scores>| scores.map(|scores| scores.top1_error);
        let top5 = |scores: Option<Scores>| scores.map(|scores| scores.top5_error);
        match self {
            Self::TenTop1 => top1(trial.ten),
            Self::TenTop5 => top5(trial.ten),
            Self::CenterTop1 => top1(trial.center),
            Self::CenterTop5 => top5(trial.center),
            Self::Training => top1(trial.training),
        }
    }
}

/// An arm of a comparison.
#[derive(Clone, Debug)]
pub(crate) struct Contender<'a> {
    /// The arm.
    pub(crate) arm: &'a Arm,
    /// Its trials, by seed.
    pub(crate) trials: Vec<&'a ArmResult>,
}

impl Contender<'_> {
    /// The mean and spread of an error over the trials.
    pub(crate) fn sample(&self, measure: Measure) -> Option<Sample> {
        let values = self.trials.iter().filter_map(|trial| measure.of(trial));
        Sample::of(&values.collect::<Vec<_>>())
    }

    /// The mean and spread of the differences from `base`, seed by seed.
    pub(crate) fn difference(&self, base: &Self, measure: Measure) -> Option<Sample> {
        let pair = |trial: &&ArmResult| {
            let seed = trial.settings.seed;
            let other = base
                .trials
                .iter()
                .find(|other| other.settings.seed == seed)?;
            Some(measure.of(trial)? - measure.of(other)?)
        };
        Sample::of(&self.trials.iter().filter_map(pair).collect::<Vec<_>>())
    }

    /// Trials that ended because something was not finite.
    pub(crate) fn not_finite(&self) -> usize {
        let ended = self
            .trials
            .iter()
            .filter(|trial| trial.ending == Ending::NotFinite);
        ended.count()
    }
}

/// The arms of a study with their trials, those without any left out.
pub(crate) fn contenders<'a>(study: &'a Study, trials: &'a [ArmResult]) -> Vec<Contender<'a>> {
    let contender = |arm: &'a Arm| Contender {
        arm,
        trials: trials
            .iter()
            .filter(|trial| trial.settings.arm == arm.name)
            .collect(),
    };
    let all = study.arms.iter().map(contender);
    all.filter(|contender| !contender.trials.is_empty())
        .collect()
}
