//! `train`: trains AlexNet on shards.

#![deny(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    shardmill_trainer::run_command_line("train", std::env::args_os().skip(1)).into()
}
