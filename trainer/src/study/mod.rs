//! The paper's comparisons: several networks trained alike, several times, and what that shows.

mod arm;
mod budget;
mod catalogue;
mod comparison;
mod comparison_report;
mod crossing;
mod dataset;
mod document;
mod ensemble;
mod ensemble_report;
mod error;
mod execute;
mod figure;
mod findings;
mod folder;
mod job;
mod json_file;
mod pace;
mod plan;
mod race_report;
mod report;
mod result;
mod run_log;
mod same_arms;
mod search;
mod search_state;
mod settings_text;
mod statistics;

pub(crate) use self::{
    arm::Arm,
    budget::Budget,
    catalogue::{Kind, STUDIES, Study},
    dataset::DatasetIdentity,
    document::Document,
    ensemble::{EnsembleOptions, ensemble},
    ensemble_report::ensemble_report,
    execute::Execution,
    findings::Findings,
    folder::StudyFolder,
    job::Workplace,
    plan::{Plan, Request, val_split},
    report::{report, write_report},
};

#[cfg(test)]
mod tests;
