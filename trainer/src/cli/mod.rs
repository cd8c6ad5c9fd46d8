//! The command line.

mod bench;
mod cache;
mod compare;
mod device;
mod doctor;
mod eval;
mod exchange;
mod features;
mod model;
mod neighbours;
mod predict;
mod ranks;
mod recipe;
mod recipe_args;
mod report;
mod signals;
mod split;
mod study;
mod summary;
mod train;
mod watch;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::iter::once;
use std::sync::Once;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;
use shardmill_formats::{console, errln, outln};
use shardmill_prep::silence_decoder_panics;

#[cfg(feature = "cuda")]
use crate::run::Stop;
#[cfg(feature = "cuda")]
use crate::tools::check::CheckOptions;
use crate::tools::demo::DemoOptions;

/// Trains AlexNet on Shardmill shards.
///
/// Without a subcommand: trains on split `train` of `--shards DIR`, by default with the paper's recipe.
#[derive(Debug, Parser)]
#[command(
    name = "train",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::TrainArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evaluate a checkpoint: top-1 and top-5 error from the centre view and from ten views.
    Eval(eval::EvalArgs),
    /// Measure training and inference speed on images already in memory.
    Bench(bench::BenchArgs),
    /// Write a page about a run: curves, errors, kernels, images, beside the paper's figures.
    Report(report::ReportArgs),
    /// Print the classes that a network sees in image files.
    Predict(predict::PredictArgs),
    /// Write a layer's outputs for the images of a split to a safetensors file.
    Features(features::FeaturesArgs),
    /// Find the nearest training images of a split's images, and print how often they are of the same class.
    Neighbours(neighbours::NeighboursArgs),
    /// Write a checkpoint's weights with another program's tensor names and layouts.
    Export(exchange::ExportArgs),
    /// Make a checkpoint from another program's weights.
    Import(exchange::ImportArgs),
    /// Show the curves of a running or finished training in the terminal.
    Watch(watch::WatchArgs),
    /// Lay the curves of several runs over each other, and list what their recipes differ in.
    Compare(compare::CompareArgs),
    /// Draw pictures, ingest them, train a narrow AlexNet on them, and print where everything is.
    Demo(DemoOptions),
    /// Train the networks of one of the paper's comparisons, several times each, and report on them.
    Study(study::StudyArgs),
    /// Print the recipes, or print one as a TOML file.
    Recipe(recipe::ShowArgs),
    /// Print the layer table of a network.
    Summary(summary::SummaryArgs),
    /// Check that this machine has what training needs: GPU, driver, libraries, shards; the exit code is 0 if
    /// this build can train here.
    Doctor(doctor::DoctorArgs),
    /// Check a GPU: every operation and whole networks against the CPU, a short training on shards, and
    /// speed, as a report in markdown; the exit code is 0 if everything holds.
    #[cfg(feature = "cuda")]
    GpuCheck(CheckOptions),
    /// Replaces the command of builds with CUDA, to say what it needs.
    #[cfg(not(feature = "cuda"))]
    #[command(hide = true, disable_help_flag = true)]
    GpuCheck {
        /// Whatever is given to it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _given: Vec<OsString>,
    },
}

/// What is said when a check of a GPU is asked to stop.
#[cfg(feature = "cuda")]
const CHECK_STOPS: &str =
    "stopping the check; once more ends it at once, and leaves what it has drawn";

/// The program `train`: does what its arguments ask for, prints what the program prints, and returns the
/// exit code: 0, 1 after an error, which is printed, or 2 for invalid arguments.
///
/// `called` is what the user calls the program, such as `train`: usage lines and commands to go on with
/// begin with it. `arguments` come without the program's name.
///
/// It is for the `main` of a program that does nothing else: it prints to the standard output and the
/// standard error, replaces the panic hook, and a training takes over SIGINT, SIGTERM and SIGHUP for the
/// rest of the process. It may be called again in the same process, one call at a time.
pub fn run_command_line(called: &str, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(silence_decoder_panics);
    let cli = match parse(called, arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that is gone needs no help.
            let _ = error.print();
            let _ = std::io::stdout().flush();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    run(cli, called).unwrap_or_else(|error| {
        // Line feeds stay: an error in a recipe's TOML quotes its line.
        let error = format!("{error:#}");
        errln!("error: {}", error.trim_end());
        1
    })
}

fn parse(called: &str, arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let command = Cli::command().bin_name(called).display_name(called);
    let mut parser = command.clone();
    let words = once(called.into()).chain(arguments);
    let parsed = parser
        .try_get_matches_from_mut(words)
        .and_then(|mut matches| {
            Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut parser))
        });
    parsed.map_err(|error| advised(error, command))
}

/// clap offers the flag whose letters are nearest, which for other programs' name of `--lr` is
/// `--linear-lr`.
fn advised(mut error: clap::Error, mut command: clap::Command) -> clap::Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) if error.kind() == ErrorKind::UnknownArgument => name,
        _ => return error,
    };
    if unknown.starts_with("--learn") {
        let flag = ContextValue::String("--lr".to_owned());
        error.insert(ContextKind::SuggestedArg, flag);
        // It would show the other flag.
        let usage = ContextValue::StyledStr(command.render_usage());
        error.insert(ContextKind::Usage, usage);
    }
    error
}

/// The flags of a command, which can carry it out.
trait Execute {
    /// Carries the command out and returns the exit code. `called` is what the user calls the program.
    fn execute(self, called: &str) -> anyhow::Result<u8>;
}

/// How a report is printed.
#[derive(Args, Clone, Copy, Debug)]
struct Format {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Format {
    fn print(self, report: &(impl Serialize + Display)) -> anyhow::Result<()> {
        if self.json {
            outln!("{}", serde_json::to_string(report)?)?;
        } else {
            console::print(&report.to_string())?;
        }
        Ok(())
    }
}

/// Does what the command line asks for, and returns the exit code.
fn run(cli: Cli, called: &str) -> anyhow::Result<u8> {
    match cli.command {
        None => cli.train.execute(called),
        Some(Command::Eval(args)) => args.execute(called),
        Some(Command::Bench(args)) => args.execute(called),
        Some(Command::Report(args)) => args.execute(called),
        Some(Command::Predict(args)) => args.execute(called),
        Some(Command::Features(args)) => args.execute(called),
        Some(Command::Neighbours(args)) => args.execute(called),
        Some(Command::Export(args)) => args.execute(called),
        Some(Command::Import(args)) => args.execute(called),
        Some(Command::Watch(args)) => args.execute(called),
        Some(Command::Compare(args)) => args.execute(called),
        Some(Command::Demo(options)) => {
            ranks::refuse_several("train demo")?;
            options.run().map(|()| 0)
        }
        Some(Command::Study(args)) => args.execute(called),
        Some(Command::Recipe(args)) => args.execute(called),
        Some(Command::Summary(args)) => args.execute(called),
        Some(Command::Doctor(args)) => args.execute(called),
        #[cfg(feature = "cuda")]
        Some(Command::GpuCheck(options)) => {
            let stop = Stop::default();
            // A part has nothing to save, and its parent ends it.
            let _listening = match options.is_part() {
                true => None,
                false => Some(signals::listen(&stop, CHECK_STOPS)?),
            };
            Ok(u8::from(!options.run(&stop)?))
        }
        #[cfg(not(feature = "cuda"))]
        Some(Command::GpuCheck { .. }) => anyhow::bail!(
            "gpu-check compares an NVIDIA GPU with the CPU, and this build of train computes on the CPU \
             only; build it with `cargo build --release --features cuda -p shardmill-trainer` (README, \
             \"Building with CUDA\")"
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use std::ffi::OsString;

    use super::{Cli, parse};

    #[test]
    fn an_unknown_flag_gets_the_one_that_is_meant() {
        for (given, meant) in [
            ("--learning-rate", "'--lr'"),
            ("--learning_rate=0.1", "'--lr'"),
            ("--epoch", "'--epochs'"),
        ] {
            let line = ["--shards", "d", given, "0.1"].map(OsString::from);
            let text = parse("shardmill train", line).unwrap_err().to_string();
            assert!(text.contains("Usage: shardmill train "), "{text}");
            assert!(text.contains(meant), "{given}: {text}");
            assert!(!text.contains("linear"), "{given}: {text}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_cuda_says_what_gpu_check_needs() {
        for line in [
            "train gpu-check",
            "train gpu-check --shards d --out f",
            "train gpu-check --help",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let error = super::run(cli, "train").unwrap_err().to_string();
            assert!(error.contains("--features cuda"), "{line}: {error}");
        }
    }

    #[test]
    fn usage_lines_say_what_the_user_calls_the_program() {
        let own = "Usage: @ [OPTIONS] --shards <DIR>\n       @ <COMMAND>\n";
        for called in ["train", "shardmill train"] {
            for (line, usage) in [
                ("--help", own),
                ("", own),
                ("summary --nonsense", "Usage: @ summary [OPTIONS]\n"),
                ("help summary", "Usage: @ summary [OPTIONS]\n"),
                ("--version", concat!("@ ", env!("CARGO_PKG_VERSION"), "\n")),
            ] {
                let words = line.split_whitespace().map(OsString::from);
                let text = parse(called, words).unwrap_err().to_string();
                let usage = usage.replace('@', called);
                assert!(text.contains(&usage), "{called}, {line}: {text}");
            }
        }
    }

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn trains_without_a_subcommand_and_does_not_mix_with_one() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(
            parse("train --shards d --lr 0.002")
                .unwrap()
                .command
                .is_none()
        );
        assert!(
            parse("train eval --checkpoint f --shards d")
                .unwrap()
                .command
                .is_some()
        );
        assert!(parse("train --shards d eval --checkpoint f --shards d").is_err());
        assert!(parse("train --lr 0.002").is_err());
        assert!(parse("train").is_err());
    }
}
