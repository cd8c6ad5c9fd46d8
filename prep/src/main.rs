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
    /// List what an ingest would read, and estimate its size and time with each codec.
    Plan(cli::plan::Args),
    /// Complete a dataset whose parts were made apart.
    Merge(cli::merge::Args),
    /// Reread every record of a dataset against its checksum.
    Verify(cli::verify::Args),
    /// Print what a dataset consists of.
    Inspect(cli::inspect::Args),
    /// Write one image of a dataset to a file.
    Extract(cli::extract::Args),
    /// Write a dataset as tar files, class folders or Parquet, for other tools.
    Export(cli::export::Args),
    /// Copy some classes or a share of a dataset into new shards, pixels unchanged.
    Subset(cli::subset::Args),
    /// Encode a dataset with another codec, without the originals.
    Convert(cli::convert::Args),
}

fn main() -> ExitCode {
    // They are rejects, named in `rejects.jsonl`.
    shardmill_prep::silence_decoder_panics();
    let result = match cli::parse::<Cli>().command {
        Command::Ingest(args) => cli::ingest::run(&args),
        Command::Plan(args) => cli::plan::run(&args),
        Command::Merge(args) => cli::merge::run(&args),
        Command::Verify(args) => cli::verify::run(&args),
        Command::Inspect(args) => cli::inspect::run(&args),
        Command::Extract(args) => cli::extract::run(&args),
        Command::Export(args) => cli::export::run(&args),
        Command::Subset(args) => cli::subset::run(&args),
        Command::Convert(args) => cli::convert::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
