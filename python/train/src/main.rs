//! `shardmill-train`: the program `train`, which `shardmill train` runs.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    shardmill_trainer::run_command_line("shardmill train", std::env::args_os().skip(1)).into()
}
