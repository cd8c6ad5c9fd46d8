//! The paper's comparisons: several networks trained alike, several times, and what that shows.

mod arm;
mod catalogue;
mod crossing;
mod dataset;
mod error;
mod execute;
mod job;
mod json_file;
mod pace;
mod plan;
mod result;
mod search;

pub(crate) use self::{
    catalogue::{Kind, STUDIES, Study},
    dataset::DatasetIdentity,
    error::StudyError,
    execute::{Execution, Findings, StudyFolder},
    job::Workplace,
    plan::{Plan, Request},
};
