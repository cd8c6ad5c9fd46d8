//! `prep`: image trees to shards.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Turns image trees into Shardmill shards, once.
#[derive(Parser)]
#[command(name = "prep", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Decode, resize and pack the images of SRC into shards.
    Ingest(cli::ingest::Args),
    /// Reread every record of a dataset against its checksum.
    Verify(cli::verify::Args),
    /// Print what a dataset consists of.
    Inspect(cli::inspect::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Ingest(args) => cli::ingest::run(&args),
        Command::Verify(args) => cli::verify::run(&args),
        Command::Inspect(args) => cli::inspect::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
