//! The command line.

mod bench;
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

use clap::{Parser, Subcommand};
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
    };
    done.map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

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
