//! The program `loader`.

mod args;
mod disk;
mod measure;
mod program;
mod remote;
mod report;

pub use program::run_command_line;
