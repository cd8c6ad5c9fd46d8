//! What a study has come to.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use crate::study::plan::Plan;
use crate::study::result::ArmResult;

/// What a study has come to.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    /// Its settings.
    pub(crate) plan: Plan,
    /// The searches for rates, where it has any, in the order of the arms.
    pub(crate) searches: Vec<Searched>,
    /// The results of all trials that are there, by arm, then seed.
    pub(crate) trials: Vec<ArmResult>,
    /// Trials that are missing, as arm and seed.
    pub(crate) missing: Vec<Trial>,
    /// Seeds of results that are there too, and that are left out.
    pub(crate) further: Vec<u64>,
}

impl Findings {
    /// Everything as JSON, with the files of the report.
    pub(crate) fn json(&self, files: &[PathBuf]) -> Value {
        let files: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let searches: Vec<Value> = self
            .searches
            .iter()
            .map(|searched| {
                json!({
                    "arm": searched.arm,
                    "lr": searched.rate,
                    "at_edge": searched.at_edge,
                    "tried": searched.tried,
                })
            })
            .collect();
        json!({
            "plan": self.plan,
            "searches": searches,
            "trials": self.trials,
            "missing": self.missing,
            "further_seeds": self.further,
            "files": files,
        })
    }
}

/// One trial of an arm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Trial {
    /// The arm's name.
    pub(crate) arm: String,
    /// Its seed.
    pub(crate) seed: u64,
}

/// A search for an arm's rate.
#[derive(Clone, Debug)]
pub(crate) struct Searched {
    /// The arm's name.
    pub(crate) arm: String,
    /// The result of every rate, by rate.
    pub(crate) tried: Vec<ArmResult>,
    /// The rate that was chosen; `None`: the search has not ended.
    pub(crate) rate: Option<f64>,
    /// Whether it is at an end of the rates that were tried.
    pub(crate) at_edge: bool,
}
