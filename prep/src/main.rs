//! `prep`: image trees to shards.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    shardmill_prep::run_command_line("prep", std::env::args_os().skip(1)).into()
}
