//! The program's `main`, as a function.

use std::ffi::OsString;
use std::io::Write;
use std::iter::once;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches};
use shardmill_formats::{Printable, console, errln};

use super::args::{BenchArgs, Cli, Command};
use super::measure::measure;
use super::report::Report;

/// The program `loader`: does what its arguments ask for, prints as the program prints, and gives the exit
/// code: 0, 1 after an error, which is printed, or 2 for arguments that make no sense.
///
/// `called` is what the user calls the program, such as `loader`: usage lines begin with it.
/// `arguments` come without the program's name.
pub fn run_command_line(called: &str, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let Command::Bench(args) = match parse(called, arguments) {
        Ok(cli) => cli.command,
        Err(error) => {
            // A reader that is gone needs no help.
            let _ = error.print();
            let _ = std::io::stdout().flush();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    match bench(&args) {
        Ok(()) => 0,
        Err(error) => {
            errln!("error: {}", Printable(&format!("{error:#}")));
            1
        }
    }
}

fn parse(called: &str, arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().bin_name(called).display_name(called);
    let words = once(called.into()).chain(arguments);
    let mut matches = command.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn bench(args: &BenchArgs) -> Result<()> {
    for (i, row) in args.rows().into_iter().enumerate() {
        let measured = measure(args, &row)?;
        let report = Report::new(args, row, &measured);
        let text = match (args.json, i) {
            (true, _) => serde_json::to_string(&report)? + "\n",
            (false, 0) => Report::head() + "\n" + &report.line(),
            (false, _) => report.line(),
        };
        // Nothing is left to do for a reader that is gone.
        if !console::print(&text)? {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_lines_say_what_the_user_calls_the_program() {
        for called in ["loader", "shardmill loader"] {
            for (line, usage) in [
                ("--help", "Usage: @ <COMMAND>\n"),
                ("bench", "Usage: @ bench --shards <DIR>\n"),
                ("help bench", "Usage: @ bench [OPTIONS] --shards <DIR>\n"),
                ("--version", concat!("@ ", env!("CARGO_PKG_VERSION"), "\n")),
            ] {
                let words = line.split_whitespace().map(OsString::from);
                let error = parse(called, words).err().expect("it is refused");
                let (text, usage) = (error.to_string(), usage.replace('@', called));
                assert!(text.contains(&usage), "{called}, {line}: {text}");
            }
        }
    }
}
