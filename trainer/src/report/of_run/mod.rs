//! The page about one run.

mod assemble;
mod contents;
mod draw;
mod error;
mod findings;
mod kernel;
mod material;
mod options;
mod outcome;
mod plane;
mod sections;
mod subjects;
mod units;

pub(crate) use assemble::report;
pub(crate) use options::{CheckpointChoice, ReportOptions};
