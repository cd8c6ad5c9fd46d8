//! `loader`: measures how fast a dataset can be loaded.

#![deny(unsafe_code)]

mod cli;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use shardmill_formats::{Printable, console, errln};

use cli::args::{BenchArgs, Cli, Command};
use cli::measure::measure;
use cli::report::Report;

fn main() -> ExitCode {
    let Command::Bench(args) = Cli::parse().command;
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            errln!("error: {}", Printable(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &BenchArgs) -> Result<()> {
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
