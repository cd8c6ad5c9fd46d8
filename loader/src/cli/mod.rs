//! The parts of the program `loader`.

pub(crate) mod args;
mod disk;
pub(crate) mod measure;
pub(crate) mod report;
