//! The program's `main`, as a function.

use std::ffi::OsString;
use std::io::Write;
use std::iter::once;
use std::sync::Once;

use clap::error::ContextKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{convert, export, extract, ingest, inspect, merge, plan, say, subset, verify};
use crate::silence_decoder_panics;

/// Converts image datasets into Shardmill shards.
#[derive(Parser)]
#[command(name = "prep", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Decode, resize and pack the images of SRC into shards.
    Ingest(ingest::Args),
    /// List what an ingest would read, and estimate its size and time with each codec.
    Plan(plan::Args),
    /// Complete a dataset whose parts were made separately.
    Merge(merge::Args),
    /// Check every record of a dataset against its checksum.
    Verify(verify::Args),
    /// Print what a dataset consists of.
    Inspect(inspect::Args),
    /// Write one image of a dataset to a file.
    Extract(extract::Args),
    /// Write a dataset as tar files, class folders or Parquet, for other tools.
    Export(export::Args),
    /// Copy some classes or a share of a dataset into new shards, pixels unchanged.
    Subset(subset::Args),
    /// Encode a dataset with another codec, without the originals.
    Convert(convert::Args),
}

/// Runs the program `prep` and returns its exit code: 0, 1 after an error, which is printed, or 2 for invalid
/// arguments.
///
/// `called` is the name of the program for the user, such as `prep`: usage lines and advice begin with it.
/// `arguments` do not include the name.
///
/// It is meant for the `main` of a program that does nothing else: it prints to standard output and standard
/// error and replaces the panic hook. Commands that write shards handle SIGINT, SIGTERM and SIGHUP from then
/// on, which end the process with code 130. It may be called repeatedly in a process, one call at a time.
pub fn run_command_line(called: &str, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    // Images that a decoder panics over are rejects, listed in `rejects.jsonl`.
    static SILENCED: Once = Once::new();
    SILENCED.call_once(silence_decoder_panics);
    let command = match parse(called, arguments) {
        Ok(Cli { command }) => command,
        Err(error) => {
            // Nobody reads the help if the pipe is closed.
            let _ = error.print();
            let _ = std::io::stdout().flush();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let result = match command {
        Command::Ingest(args) => ingest::run(&args, called),
        Command::Plan(args) => plan::run(&args, called),
        Command::Merge(args) => merge::run(&args),
        Command::Verify(args) => verify::run(&args, called),
        Command::Inspect(args) => inspect::run(&args, called),
        Command::Extract(args) => extract::run(&args, called),
        Command::Export(args) => export::run(&args, called),
        Command::Subset(args) => subset::run(&args, called),
        Command::Convert(args) => convert::run(&args, called),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            say(&format!("error: {error:#}"));
            1
        }
    }
}

fn parse(called: &str, arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().bin_name(called).display_name(called);
    let words = once(called.into()).chain(arguments);
    let parsed = command
        .try_get_matches_from_mut(words)
        .and_then(|mut matches| {
            Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
        });
    parsed.map_err(|mut error| {
        // No valid value begins with two dashes, so it is a misspelt option, and advice on passing it as a value
        // would mislead.
        error.remove(ContextKind::Suggested);
        error
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(called: &str, line: &str) -> String {
        let words = line.split_whitespace().map(OsString::from);
        let error = parse(called, words).err().expect("it is refused");
        error.to_string()
    }

    #[test]
    fn usage_lines_say_what_the_user_calls_the_program() {
        for called in ["prep", "shardmill prep"] {
            for (line, usage) in [
                ("--help", "Usage: @ <COMMAND>\n"),
                ("ingest", "Usage: @ ingest --out <DIR> <SRC>\n"),
                ("help verify", "Usage: @ verify [OPTIONS] <DIR>\n"),
                ("merge --nonsense d", "Usage: @ merge [OPTIONS] <DIR>\n"),
                ("nonsense", "Usage: @ <COMMAND>\n"),
                ("--version", concat!("@ ", env!("CARGO_PKG_VERSION"), "\n")),
            ] {
                let text = refused(called, line);
                let usage = usage.replace('@', called);
                assert!(text.contains(&usage), "{called}, {line}: {text}");
            }
        }
    }
}
