//! Whether a GPU computes what the CPU computes, and how fast: everything that only a machine with a
//! GPU can tell, as one report.

mod feed;
mod images;
mod ops;
mod products;
#[cfg(feature = "nccl")]
mod several;
mod steps;
mod tally;
mod training;

use std::fmt::Write as _;
use std::path::PathBuf;

use shardmill_formats::Causes;

use crate::compute::{Compute, CudaOptions, DeviceSet, Precision};
use crate::cuda::device::Device;
use crate::run::error::TrainError;
use crate::tools::bench::{self, BenchOptions};
use crate::tools::doctor::Doctor;
use ops::Ops;
use tally::Tally;

/// Batch sizes of the bench.
const BATCHES: [usize; 3] = [128, 512, 1024];

/// Timed steps of each.
const STEPS: usize = 30;

/// What the report has of a part that was left out.
const LEFT_OUT: &str = "Left out.\n";

/// A part of the check that may be left out, if a machine's time suffices only for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CheckPart {
    /// The short training of the paper's network on shards
    Training,
    /// The bench, and the loader's feed
    Speed,
}

/// What to check.
#[derive(Clone, Debug)]
pub(crate) struct CheckOptions {
    /// A folder of shards, for a short training and the loader's meter.
    pub(crate) shards: PathBuf,
    /// A folder for the runs, which must not exist; it is removed afterwards.
    pub(crate) scratch: PathBuf,
    /// The GPU.
    pub(crate) device: DeviceSet,
    /// Loader threads.
    pub(crate) threads: usize,
    /// What is left out, which the report says.
    pub(crate) skip: Vec<CheckPart>,
}

/// The result of a check.
#[derive(Clone, Debug)]
pub(crate) struct CheckReport {
    /// The report.
    pub(crate) markdown: String,
    /// Whether everything holds.
    pub(crate) passed: bool,
}

impl CheckOptions {
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

/// Checks a GPU: every operation and whole networks against the CPU in each precision, going on from
/// a state, a short training on shards, speed, and the loader's meter.
///
/// # Errors
/// A GPU that cannot be opened, or shards that cannot be read. What fails later is in the report.
pub(crate) fn check(
    options: &CheckOptions,
    mut progress: impl FnMut(&str),
) -> Result<CheckReport, TrainError> {
    let number = options.number();
    let gpu = Device::open(number, Precision::F32, false)?;
    let mut text = format!("## {}\n\n", gpu.describe()?);
    let _ = writeln!(text, "```\n{}```\n", Doctor::examine(Some(&options.shards)));
    drop(gpu);
    let mut tally = Tally::default();
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        let name = precision.name();
        progress(&format!("operations in {name}"));
        attempt(&mut tally, &format!("operations in {name}"), |tally| {
            let device = &Device::open(number, precision, false)?;
            Ok(Ops { device, tally }.run()?)
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
fn bench(options: &CheckOptions, tally: &mut Tally) -> String {
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
fn several_gpus(options: &CheckOptions, tally: &mut Tally) -> Result<String, TrainError> {
    several::run(options, tally)
}

/// Says why several GPUs are left out.
#[cfg(not(feature = "nccl"))]
fn several_gpus(_: &CheckOptions, _: &mut Tally) -> Result<String, TrainError> {
    Ok("Left out: this build uses one GPU; build with `--features nccl` for several.\n".to_owned())
}

/// Runs a part of the check; an error is a failure, and the other parts run all the same.
fn attempt(tally: &mut Tally, what: &str, part: impl FnOnce(&mut Tally) -> Result<(), TrainError>) {
    if let Err(error) = part(tally) {
        tally.expect(&format!("{what}: {}", Causes(&error)), false);
    }
}
