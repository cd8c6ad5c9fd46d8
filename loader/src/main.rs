//! `loader`: measures how fast a dataset can be loaded.

#![deny(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    shardmill_loader::run_command_line("loader", std::env::args_os().skip(1)).into()
}
