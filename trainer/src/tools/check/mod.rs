//! Whether a GPU computes what the CPU computes, and how fast: everything that only a machine with a
//! GPU can tell, as one report.

mod comparisons;
mod feed;
mod ops;
mod steps;
mod training;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use shardmill_formats::{Causes, Philox, Stream, console, errln};

use crate::compute::{Compute, CudaOptions, DeviceSet, Precision};
use crate::cuda::device::{CudaError, Device};
use crate::run::error::TrainError;
use crate::tools::bench::{self, BenchOptions};
use crate::tools::doctor::Doctor;
use comparisons::Comparisons;

/// Batch sizes of the bench.
const BATCHES: [usize; 3] = [128, 512, 1024];

/// Timed steps of each.
const STEPS: usize = 30;

/// What the report has of a part that was left out.
const LEFT_OUT: &str = "Left out.\n";

/// A part of the check that may be left out, if a machine's time suffices only for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CheckPart {
    /// The short training of the paper's network on shards
    Training,
    /// The bench, and the loader's feed
    Speed,
}

/// The flags of `train gpu-check`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CheckOptions {
    /// Folder of shards with splits of at least a few hundred images of 224 pixels or more
    #[arg(long, value_name = "DIR")]
    shards: PathBuf,
    /// Where to write the report; runs are kept beside it meanwhile
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number of the GPU
    #[arg(long = "card", value_name = "N", default_value = "0", value_parser = device)]
    device: DeviceSet,
    /// Loader threads [default: all but one]
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
    /// Parts to leave out, which the report says; operations and networks are always checked
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    skip: Vec<CheckPart>,
}

fn device(number: &str) -> Result<DeviceSet, String> {
    let number: usize = number.parse().map_err(|error| format!("{error}"))?;
    DeviceSet::new(&[number]).ok_or_else(|| format!("there is no GPU number {number}"))
}

impl CheckOptions {
    /// Checks a GPU, prints the report and writes it to its file. Returns whether everything holds.
    ///
    /// # Errors
    /// A GPU that cannot be opened, or shards that cannot be read. What fails later is in the report.
    pub(crate) fn run(&self) -> anyhow::Result<bool> {
        let report = check(self)?;
        console::print(&report.markdown)?;
        fs::write(&self.out, &report.markdown)
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        Ok(report.passed)
    }

    /// A folder for the runs, which must not exist; it is removed afterwards.
    fn scratch(&self) -> PathBuf {
        let mut scratch = self.out.clone().into_os_string();
        scratch.push(".runs");
        scratch.into()
    }

    fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(|| (cores() - 1).max(1))
    }

    /// The GPU's number.
    fn number(&self) -> usize {
        self.device.numbers().next().expect("there is one")
    }

    /// How the GPU is used.
    fn cuda(&self, precision: Precision, deterministic: bool) -> CudaOptions {
        CudaOptions {
            devices: self.device,
            precision,
            deterministic,
        }
    }
}

/// The result of a check.
struct CheckReport {
    markdown: String,
    passed: bool,
}

impl From<CudaError> for TrainError {
    fn from(error: CudaError) -> Self {
        Self::Engine(error.into())
    }
}

/// Values between -1 and 1.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let philox = Philox::new(seed, Stream::Init);
    let blocks = (0..len.div_ceil(4)).flat_map(|i| philox.block(i as u64, 7));
    blocks
        .take(len)
        .map(|word| Philox::unit_f32(word) * 2.0 - 1.0)
        .collect()
}

/// Checks a GPU: every operation and whole networks against the CPU in each precision, going on from
/// a state, a short training on shards, speed, and the loader's meter.
fn check(options: &CheckOptions) -> Result<CheckReport, TrainError> {
    let progress = |part: &str| errln!("{part}");
    let number = options.number();
    let gpu = Device::open(number, Precision::F32, false)?;
    let mut text = format!("## {}\n\n", gpu.describe()?);
    let _ = writeln!(text, "```\n{}```\n", Doctor::examine(Some(&options.shards)));
    drop(gpu);
    let mut tally = Comparisons::default();
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        let name = precision.name();
        progress(&format!("operations in {name}"));
        attempt(&mut tally, &format!("operations in {name}"), |tally| {
            let device = &Device::open(number, precision, false)?;
            Ok(ops::run(device, tally)?)
        });
        progress(&format!("networks in {name}"));
        attempt(&mut tally, &format!("networks in {name}"), |tally| {
            steps::compare(options.cuda(precision, false), tally)
        });
        attempt(&mut tally, &format!("going on in {name}"), |tally| {
            steps::resume(options.cuda(precision, true), tally)
        });
    }
    let mut trained = String::from(LEFT_OUT);
    if !options.skip.contains(&CheckPart::Training) {
        progress("a short training");
        attempt(&mut tally, "a short training on shards", |tally| {
            trained = training::run(options, tally)?;
            Ok(())
        });
    }
    let (mut speed, mut fed) = (String::from(LEFT_OUT), String::from(LEFT_OUT));
    if !options.skip.contains(&CheckPart::Speed) {
        progress("speed");
        speed = bench(options, &mut tally);
        progress("the loader's feed");
        attempt(&mut tally, "the loader's feed", |tally| {
            fed = feed::run(options, tally)?;
            Ok(())
        });
    }
    progress("several GPUs");
    let mut several = String::new();
    attempt(&mut tally, "several GPUs", |tally| {
        several = several_gpus(options, tally)?;
        Ok(())
    });
    let passed = tally.passed();
    let verdict = if passed {
        "Everything holds."
    } else {
        "**Something FAILED: see the tables.**"
    };
    let _ = write!(
        text,
        "{verdict}\n\n### Against the CPU\n\nThe error is the largest difference over the largest \
         value of the CPU's, or \"in length\" the length of the difference over that of the CPU's.\n\n{}\n### A short training\n\n{trained}\n### Speed\n\n{speed}\n\
         ### Fed by the loader\n\n{fed}\n### Several GPUs\n\n{several}",
        tally.markdown()
    );
    Ok(CheckReport {
        markdown: text,
        passed,
    })
}

/// Speed at each batch size, with and without training.
fn bench(options: &CheckOptions, tally: &mut Comparisons) -> String {
    let mut speed = format!(
        "The paper's network; medians of {STEPS} steps, each waited for, images already in GPU memory.\n\n\
         | precision | batch | training, images/s | inference, images/s | a step, ms (min to max) |\n\
         |---|---|---|---|---|\n"
    );
    for precision in [Precision::Tf32, Precision::Bf16] {
        for batch_size in BATCHES {
            let what = format!("bench of batches of {batch_size} in {}", precision.name());
            attempt(tally, &what, |_| {
                let report = bench::run(&BenchOptions {
                    batch_size,
                    steps: STEPS,
                    compute: Compute::Cuda(options.cuda(precision, false)),
                    ..BenchOptions::default()
                })?;
                let (name, step) = (precision.name(), report.step_cell());
                let cells = report.speed_cells();
                let _ = writeln!(speed, "| {name} | {batch_size} | {cells} | {step} |");
                Ok(())
            });
        }
    }
    speed
}

/// Several GPUs against one, and their speed, if there are several.
#[cfg(feature = "nccl")]
fn several_gpus(options: &CheckOptions, tally: &mut Comparisons) -> Result<String, TrainError> {
    steps::several::run(options, tally)
}

/// Says why several GPUs are left out.
#[cfg(not(feature = "nccl"))]
fn several_gpus(_: &CheckOptions, _: &mut Comparisons) -> Result<String, TrainError> {
    Ok("Left out: this build uses one GPU; build with `--features nccl` for several.\n".to_owned())
}

/// Runs a part of the check; an error is a failure, and the other parts run all the same.
fn attempt(
    tally: &mut Comparisons,
    what: &str,
    part: impl FnOnce(&mut Comparisons) -> Result<(), TrainError>,
) {
    if let Err(error) = part(tally) {
        tally.expect(&format!("{what}: {}", Causes(&error)), false);
    }
}
