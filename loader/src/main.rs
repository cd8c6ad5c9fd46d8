//! `loader`: measures how fast a dataset can be loaded.

#![deny(unsafe_code)]

mod cli;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use shardmill_formats::{Printable, printable_lines};

use cli::args::{BenchArgs, Cli, Command};
use cli::measure::measure;
use cli::report::Report;

fn main() -> ExitCode {
    let Command::Bench(args) = Cli::parse().command;
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", Printable(&message(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &BenchArgs) -> Result<()> {
    let mut out = std::io::stdout();
    // A dataset's strings may hold anything: what acts on a terminal is escaped here and below.
    let mut print = |text: String| {
        let text = printable_lines(&text);
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.context("standard output")
    };
    for (i, row) in args.rows().into_iter().enumerate() {
        let measured = measure(args, &row)?;
        let report = Report::new(args, row, &measured);
        if args.json {
            print(serde_json::to_string(&report)? + "\n")?;
            continue;
        }
        if i == 0 {
            print(Report::head() + "\n")?;
        }
        print(report.line())?;
    }
    Ok(())
}

/// The error with its causes, without those that it quotes itself.
fn message(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.as_str() {
            "" => cause,
            text if text.ends_with(&cause) => text.to_owned(),
            text => format!("{text}: {cause}"),
        }
    })
}
