//! The command line, and the rows of the table that it requests.

use std::path::{Path, PathBuf};

use crate::{Advice, Layout, Order, Output, Verify};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Serialize, Serializer};

/// Default number of loader threads.
pub(crate) const USUAL_THREADS: usize = 2;

/// Measures how fast a dataset can be loaded.
#[derive(Parser)]
#[command(name = "loader", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Load whole epochs with the training augmentation and report images per second.
    ///
    /// An option with several values, as in `--threads 1,2 --output f32,u8`, gives a row of the
    /// table for each of them.
    Bench(BenchArgs),
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Folder of a dataset; may be repeated, for instance to compare codecs.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) shards: Vec<PathBuf>,
    /// Split to load.
    #[arg(long, default_value = "train")]
    pub(crate) split: String,
    /// Loader threads, at most one per batch of an epoch; 0 loads on the consumer's thread.
    #[arg(long, default_values_t = [USUAL_THREADS], value_delimiter = ',')]
    pub(crate) threads: Vec<usize>,
    /// Type of the values.
    #[arg(long, value_enum, default_value = "f32", value_delimiter = ',')]
    pub(crate) output: Vec<OutputArg>,
    /// Order of the axes.
    #[arg(long, value_enum, default_value = "nhwc", value_delimiter = ',')]
    pub(crate) layout: Vec<LayoutArg>,
    /// Order of an epoch.
    #[arg(long, value_enum, default_value = "global", value_delimiter = ',')]
    pub(crate) order: Vec<OrderArg>,
    /// When records are compared with their checksums.
    #[arg(long, value_enum, default_value = "first-read", value_delimiter = ',')]
    pub(crate) verify: Vec<VerifyArg>,
    /// When the system is asked to read the next records ahead.
    #[arg(long, value_enum, default_value = "auto", value_delimiter = ',')]
    pub(crate) advice: Vec<AdviceArg>,
    /// Samples in a batch.
    #[arg(long, default_value_t = 256)]
    pub(crate) batch_size: usize,
    /// Side of the window in pixels [default: 224, or the records' side if they are smaller].
    #[arg(long)]
    pub(crate) crop: Option<u32>,
    /// Total time of the passes of each row, of which there are at least three; one pass before them is
    /// not counted. The memory bandwidth is measured before, between and after the passes.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Simulate a consumer that takes this long for each batch, in an epoch that lasts `--seconds`.
    #[arg(long, value_name = "MS", conflicts_with = "cold")]
    pub(crate) consumer_ms: Option<f64>,
    /// Drop the shards from the page cache before each pass, and read them once in large pieces with the
    /// same number of threads, to compare with the speed of the disk.
    #[arg(long)]
    pub(crate) cold: bool,
    /// Print one JSON object per row, each on its own line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutputArg {
    F32,
    F16,
    Bf16,
    U8,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LayoutArg {
    Nhwc,
    Nchw,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrderArg {
    Global,
    Blocks,
    Sequential,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum VerifyArg {
    FirstRead,
    Never,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdviceArg {
    Auto,
    Always,
    Never,
}

impl From<OutputArg> for Output {
    fn from(arg: OutputArg) -> Self {
        match arg {
            OutputArg::F32 => Self::F32,
            OutputArg::F16 => Self::F16,
            OutputArg::Bf16 => Self::Bf16,
            OutputArg::U8 => Self::U8,
        }
    }
}

impl From<LayoutArg> for Layout {
    fn from(arg: LayoutArg) -> Self {
        match arg {
            LayoutArg::Nhwc => Self::Nhwc,
            LayoutArg::Nchw => Self::Nchw,
        }
    }
}

impl From<OrderArg> for Order {
    fn from(arg: OrderArg) -> Self {
        match arg {
            OrderArg::Global => Self::Global,
            OrderArg::Blocks => Self::blocks(),
            OrderArg::Sequential => Self::Sequential,
        }
    }
}

impl From<VerifyArg> for Verify {
    fn from(arg: VerifyArg) -> Self {
        match arg {
            VerifyArg::FirstRead => Self::FirstRead,
            VerifyArg::Never => Self::Never,
        }
    }
}

impl From<AdviceArg> for Advice {
    fn from(arg: AdviceArg) -> Self {
        match arg {
            AdviceArg::Auto => Self::Auto,
            AdviceArg::Always => Self::Always,
            AdviceArg::Never => Self::Never,
        }
    }
}

/// One row of the table.
#[derive(Clone, Serialize)]
pub(crate) struct Row {
    /// In JSON, whatever is not UTF-8 in its name is U+FFFD.
    #[serde(serialize_with = "lossy")]
    pub(crate) shards: PathBuf,
    pub(crate) threads: usize,
    pub(crate) output: OutputArg,
    pub(crate) layout: LayoutArg,
    pub(crate) order: OrderArg,
    pub(crate) verify: VerifyArg,
    pub(crate) advice: AdviceArg,
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl BenchArgs {
    /// Every combination; the datasets vary fastest, so that codecs are next to each other.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for &threads in &self.threads {
            for &output in &self.output {
                for &layout in &self.layout {
                    for &order in &self.order {
                        for &verify in &self.verify {
                            for &advice in &self.advice {
                                rows.extend(self.shards.iter().map(|shards| Row {
                                    shards: shards.clone(),
                                    threads,
                                    output,
                                    layout,
                                    order,
                                    verify,
                                    advice,
                                }));
                            }
                        }
                    }
                }
            }
        }
        rows
    }
}
