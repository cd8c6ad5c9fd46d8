//! The page about one run.

mod assemble;
mod error;
mod file;
mod findings;
mod material;
mod options;
mod outcome;
mod sections;

pub(crate) use assemble::report;
pub(crate) use error::ReportError;
pub(crate) use options::{CheckpointChoice, ReportOptions};
pub(crate) use outcome::Written;
