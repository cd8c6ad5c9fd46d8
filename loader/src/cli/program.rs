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

/// Runs the program `loader` with these arguments, and returns its exit code: 0, 1 after an error, which
/// is printed, or 2 for arguments that make no sense.
///
/// `called` is the name under which the user calls the program, such as `loader`; usage lines begin
/// with it. `arguments` do not include it.
pub fn run_command_line(called: &str, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let Command::Bench(args) = match parse(called, arguments) {
        Ok(cli) => cli.command,
        Err(error) => {
            // If standard output was closed, there is nobody to help.
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
    for (i, row) in args.rows()?.into_iter().enumerate() {
        let measured = measure(args, &row)?;
        let report = Report::new(args, row, &measured);
        let text = match (args.json, i) {
            (true, _) => serde_json::to_string(&report)? + "\n",
            (false, 0) => Report::head() + "\n" + &report.line(),
            (false, _) => report.line(),
        };
        // Nobody reads the rest if standard output was closed.
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
