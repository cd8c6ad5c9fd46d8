//! The command line.

mod bench;
mod conclude;
mod device;
mod doctor;
mod eval;
mod exchange;
#[cfg(feature = "cuda")]
mod gpu_check;
mod model;
mod predict;
mod recipe;
mod signals;
mod summary;
mod train;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use shardmill_trainer::demo::{self, DemoOptions};

/// Trains AlexNet on Shardmill shards.
///
/// Without a subcommand: trains on split `train` of `--shards DIR`, by the paper's recipe unless
/// told otherwise.
#[derive(Debug, Parser)]
#[command(
    name = "train",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::TrainArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evaluate a checkpoint: top-1 and top-5 error from the centre view and from ten views.
    Eval(eval::EvalArgs),
    /// Measure training and inference speed on images that are in memory already.
    Bench(bench::BenchArgs),
    /// Print the classes that a network sees in image files.
    Predict(predict::PredictArgs),
    /// Write a checkpoint's weights in another program's names and layouts.
    Export(exchange::ExportArgs),
    /// Make a checkpoint of another program's weights.
    Import(exchange::ImportArgs),
    /// Draw pictures, ingest them, train a narrow AlexNet on them, and print where everything is.
    Demo(DemoOptions),
    /// Print the recipes, or one as the TOML file that gives it.
    Recipe(recipe::ShowArgs),
    /// Print the layer table of a network.
    Summary(summary::SummaryArgs),
    /// Look for what training needs on this machine: card, driver, libraries, shards; the exit code is 0 if
    /// this build can train here.
    Doctor(doctor::DoctorArgs),
    /// Check a card: every operation and whole networks against the CPU, a short training on shards, and
    /// speed, as a report in markdown; the exit code is 0 if everything holds.
    #[cfg(feature = "cuda")]
    GpuCheck(gpu_check::GpuCheckArgs),
    /// Stands in for the command of builds with CUDA, to say what it needs.
    #[cfg(not(feature = "cuda"))]
    #[command(hide = true, disable_help_flag = true)]
    GpuCheck {
        /// Whatever is given to it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _given: Vec<std::ffi::OsString>,
    },
}

/// The command line that the program was started with; one that makes no sense ends it.
pub(crate) fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| advised(error).exit())
}

/// clap offers the flag whose letters are nearest, which for other programs' name of `--lr` is
/// `--linear-lr`.
fn advised(mut error: clap::Error) -> clap::Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) if error.kind() == ErrorKind::UnknownArgument => name,
        _ => return error,
    };
    if unknown.starts_with("--learn") {
        let flag = ContextValue::String("--lr".to_owned());
        error.insert(ContextKind::SuggestedArg, flag);
        // It would show the other flag.
        let usage = ContextValue::StyledStr(Cli::command().render_usage());
        error.insert(ContextKind::Usage, usage);
    }
    error
}

/// Does what the command line asks for, and gives the exit code.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let done = match cli.command {
        None => cli.train.run(),
        Some(Command::Eval(args)) => args.run(),
        Some(Command::Bench(args)) => args.run(),
        Some(Command::Predict(args)) => args.run(),
        Some(Command::Export(args)) => args.run(),
        Some(Command::Import(args)) => args.run(),
        Some(Command::Demo(options)) => demo::run(&options).map(|_| ()),
        Some(Command::Recipe(args)) => args.run(),
        Some(Command::Summary(args)) => args.run(),
        Some(Command::Doctor(args)) => return args.run(),
        #[cfg(feature = "cuda")]
        Some(Command::GpuCheck(args)) => return args.run(),
        #[cfg(not(feature = "cuda"))]
        Some(Command::GpuCheck { .. }) => anyhow::bail!(
            "gpu-check compares an NVIDIA card with the CPU, and this build of train computes on the CPU \
             only; build it with `cargo build --release --features cuda -p shardmill-trainer` (README, \
             \"Building with CUDA\")"
        ),
    };
    done.map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, advised};

    #[test]
    fn an_unknown_flag_gets_the_one_that_is_meant() {
        for (given, meant) in [
            ("--learning-rate", "'--lr'"),
            ("--learning_rate=0.1", "'--lr'"),
            ("--epoch", "'--epochs'"),
        ] {
            let line = ["train", "--shards", "d", given, "0.1"];
            let error = advised(Cli::try_parse_from(line).unwrap_err());
            let text = error.to_string();
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
            let error = super::run(cli).unwrap_err().to_string();
            assert!(error.contains("--features cuda"), "{line}: {error}");
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
