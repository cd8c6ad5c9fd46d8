//! The binary `train`: parse, run, print the error chain.

#![deny(unsafe_code)]

mod cli;

use std::process::ExitCode;

use shardmill_formats::errln;

fn main() -> ExitCode {
    shardmill_prep::silence_decoder_panics();
    match cli::run(cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Line feeds stay: an error in a recipe's TOML quotes its line.
            let error = format!("{error:#}");
            errln!("error: {}", error.trim_end());
            ExitCode::FAILURE
        }
    }
}
