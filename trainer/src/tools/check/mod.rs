//! Whether a GPU computes what the CPU computes, and how fast: everything that only a machine with a
//! GPU can tell, as one report.
//!
//! Every part is a process of its own: after an illegal access nothing works in a process any more. The report is
//! written anew whenever a part has found something, so that what is there after a kill is of use.

mod comparisons;
mod drawn;
mod feed;
mod fragment;
mod ops;
mod parts;
mod speed;
mod steps;
mod training;

use std::path::{Path, PathBuf};

use clap::Args;
use shardmill_formats::{Philox, Stream, errln};

use crate::compute::{CudaOptions, DeviceSet, Precision};
use crate::cuda::device::{CudaError, Device};
use crate::run::Stop;
use crate::run::error::TrainError;
use drawn::Drawn;
use fragment::Fragment;

/// A part of the check, in the order in which they run: what matters most comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CheckPart {
    /// Every operation against the CPU's
    Operations,
    /// A step of whole networks against the CPU's, and going on from a state
    Networks,
    /// Images a second of the paper's network
    Speed,
    /// A short training of the paper's network on shards
    Training,
    /// How long the GPU waits for the loader
    Feed,
    /// Several GPUs against one, and their speed
    Several,
}

impl CheckPart {
    const ALL: [Self; 6] = [
        Self::Operations,
        Self::Networks,
        Self::Speed,
        Self::Training,
        Self::Feed,
        Self::Several,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Operations => "Operations against the CPU's",
            Self::Networks => "Networks against the CPU's",
            Self::Speed => "Speed",
            Self::Training => "A short training",
            Self::Feed => "Fed by the loader",
            Self::Several => "Several GPUs",
        }
    }

    /// As it is called on the command line.
    fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self).expect("no part is hidden");
        value.get_name().to_owned()
    }
}

/// The flags of `train gpu-check`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CheckOptions {
    /// Folder of shards with a training split of at least a few hundred images of 224 pixels or more [default:
    /// 30,000 raw records of noise are drawn beside the report, which take 5.9 GB meanwhile]
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
    /// Where to write the report, anew after each part; runs are kept beside it meanwhile
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number of the GPU
    #[arg(long = "card", value_name = "N", default_value = "0", value_parser = device)]
    device: DeviceSet,
    /// Loader threads [default: all but one]
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
    /// Records to draw where there are no `--shards`
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30_000,
        value_parser = images,
        conflicts_with = "shards"
    )]
    images: u64,
    /// Parts to leave out, which the report says
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    skip: Vec<CheckPart>,
    /// Parts to run, and no others
    #[arg(
        long,
        value_name = "PART",
        value_delimiter = ',',
        conflicts_with = "skip"
    )]
    only: Vec<CheckPart>,
    /// Run one part in this process and write its part of the report
    #[arg(long, value_name = "PART", hide = true)]
    part: Option<CheckPart>,
}

fn device(number: &str) -> Result<DeviceSet, String> {
    let number: usize = number.parse().map_err(|error| format!("{error}"))?;
    DeviceSet::new(&[number]).ok_or_else(|| format!("there is no GPU number {number}"))
}

/// Fewest records to draw: two batches of the part that waits for them.
const LEAST_IMAGES: u64 = 512;

fn images(number: &str) -> Result<u64, String> {
    match number.parse() {
        Ok(number) if number >= LEAST_IMAGES => Ok(number),
        Ok(_) => Err(format!(
            "give at least {LEAST_IMAGES}, two batches; or leave out what needs images, with --skip training,feed"
        )),
        Err(error) => Err(error.to_string()),
    }
}

impl CheckOptions {
    /// Whether these are the flags of a process that runs one part.
    pub(crate) fn is_part(&self) -> bool {
        self.part.is_some()
    }

    /// Checks a GPU, prints the report and writes it to its file. Returns whether everything holds. A stop ends the
    /// part that runs, and leaves the report of the parts before it.
    ///
    /// # Errors
    /// A GPU that cannot be opened, a file that cannot be written, or a stop. What fails later is in the report.
    pub(crate) fn run(&self, stop: &Stop) -> anyhow::Result<bool> {
        match (self.part, &self.shards) {
            (Some(part), _) => self.run_part(part),
            (None, Some(shards)) => parts::run(self, Some(shards), stop),
            (None, None) => {
                let chosen = self.chosen();
                let needs = [CheckPart::Training, CheckPart::Feed];
                let drawn = match needs.iter().any(|part| chosen.contains(part)) {
                    true => Some(Drawn::make(&self.beside(".images"), self.images, stop)?),
                    false => None,
                };
                parts::run(self, drawn.as_ref().map(Drawn::shards), stop)
            }
        }
    }

    /// Runs a part here, and writes what it finds.
    fn run_part(&self, part: CheckPart) -> anyhow::Result<bool> {
        let mut found = Fragment::new(self.out.clone());
        let done = self.find(part, &mut found);
        if let Err(error) = done {
            found.fail(&error);
        }
        found.save()?;
        Ok(found.passed())
    }

    fn find(&self, part: CheckPart, found: &mut Fragment) -> Result<(), TrainError> {
        match part {
            CheckPart::Operations => {
                for precision in PRECISIONS {
                    errln!("operations in {}", precision.name());
                    found.attempt(precision.name(), |tally| {
                        let device = &Device::open(self.number(), precision, false)?;
                        Ok(ops::run(device, tally)?)
                    })?;
                }
                found.attempt("candle's tensors", |tally| {
                    ops::candle::run(self.number(), tally)
                })
            }
            CheckPart::Networks => {
                for precision in PRECISIONS {
                    let name = precision.name();
                    errln!("networks in {name}");
                    found.attempt(name, |tally| {
                        steps::compare(self.cuda(precision, false), tally)
                    })?;
                    found.attempt(&format!("going on in {name}"), |tally| {
                        steps::resume(self.cuda(precision, true), tally)
                    })?;
                    found.attempt(&format!("candle's tensors in {name}"), |tally| {
                        steps::tensors::run(self.cuda(precision, true), tally)
                    })?;
                }
                Ok(())
            }
            CheckPart::Speed => speed::run(self, found),
            CheckPart::Training => {
                let text = training::run(self, &mut found.tally)?;
                found.say(&text)
            }
            CheckPart::Feed => {
                let text = feed::run(self, &mut found.tally)?;
                found.say(&text)
            }
            CheckPart::Several => {
                let text = several_gpus(self, &mut found.tally)?;
                found.say(&text)
            }
        }
    }

    /// The parts that run.
    fn chosen(&self) -> Vec<CheckPart> {
        let is_chosen = |part: &CheckPart| match self.only.is_empty() {
            true => !self.skip.contains(part),
            false => self.only.contains(part),
        };
        CheckPart::ALL.into_iter().filter(is_chosen).collect()
    }

    /// A file or folder beside the report.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.out.clone().into_os_string();
        path.push(ending);
        path.into()
    }

    /// The folder of shards, which every part that needs one is given.
    fn shards(&self) -> &Path {
        self.shards.as_deref().unwrap_or(Path::new(""))
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

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Tf32, Precision::Bf16];

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

/// Several GPUs against one, and their speed, if there are several.
#[cfg(feature = "nccl")]
fn several_gpus(
    options: &CheckOptions,
    tally: &mut comparisons::Comparisons,
) -> Result<String, TrainError> {
    steps::several::run(options, tally)
}

/// Says why several GPUs are left out.
#[cfg(not(feature = "nccl"))]
fn several_gpus(_: &CheckOptions, _: &mut comparisons::Comparisons) -> Result<String, TrainError> {
    Ok("Left out: this build uses one GPU; build with `--features nccl` for several.\n".to_owned())
}
