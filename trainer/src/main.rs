//! The binary `train`: parse, run, print the error chain.

#![deny(unsafe_code)]

mod cli;

use std::process::ExitCode;

use clap::Parser;
use shardmill_formats::printable_lines;

fn main() -> ExitCode {
    shardmill_prep::silence_decoder_panics();
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Line feeds stay: an error in a recipe's TOML quotes its line.
            let error = format!("{error:#}");
            eprintln!("error: {}", printable_lines(&error));
            ExitCode::FAILURE
        }
    }
}
