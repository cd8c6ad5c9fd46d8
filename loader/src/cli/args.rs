//! The command line, and the rows of the table that it requests.

use std::path::{Path, PathBuf};

use crate::{Advice, CacheOptions, ColorJitter, Layout, Order, Output, Policy, Verify};
use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Serialize, Serializer};
use shardmill_formats::byte_size;

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
    /// Load whole epochs and report images per second.
    ///
    /// An option with several values, as in `--threads 1,2 --output f32,u8`, gives a row of the
    /// table for each of them.
    Bench(BenchArgs),
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Folder of a dataset, or an address such as s3://bucket/dataset; may be repeated, for instance to
    /// compare codecs.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) shards: Vec<PathBuf>,
    /// Split to load.
    #[arg(long, default_value = "train")]
    pub(crate) split: String,
    /// Loader threads, at most one per batch of an epoch; 0 loads on the consumer's thread.
    #[arg(long, default_values_t = [USUAL_THREADS], value_delimiter = ',')]
    pub(crate) threads: Vec<usize>,
    /// How an image becomes rows of a batch.
    #[arg(long, value_enum, default_value = "train", value_delimiter = ',')]
    pub(crate) policy: Vec<PolicyArg>,
    /// Random changes of brightness, contrast, saturation and hue, as torchvision's ColorJitter has them:
    /// four numbers, such as 0.4,0.4,0.4,0.1; for training policies only.
    #[arg(
        long,
        value_name = "B,C,S,H",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub(crate) color_jitter: Option<Vec<f64>>,
    /// Type of the values.
    #[arg(long, value_enum, default_value = "f32", value_delimiter = ',')]
    pub(crate) output: Vec<OutputArg>,
    /// Order of the axes.
    #[arg(long, value_enum, default_value = "nhwc", value_delimiter = ',')]
    pub(crate) layout: Vec<LayoutArg>,
    /// Order of an epoch: global, blocks, shards or sequential; shards:4 shuffles 4 shards at a time.
    #[arg(long, default_value = "global", value_delimiter = ',')]
    pub(crate) order: Vec<Order>,
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
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    /// Print one JSON object per row, each on its own line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The cache for shards of object stores.
#[derive(Args)]
pub(crate) struct CacheArgs {
    /// Folder for shards of object stores while they are needed [default: SHARDMILL_CACHE_DIR, or shardmill in
    /// the user's folder for caches].
    #[arg(long, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Most bytes of shards in it, such as 200G [default: SHARDMILL_CACHE_BYTES, or half of what the disk has
    /// free].
    #[arg(long, value_name = "BYTES", value_parser = byte_size)]
    pub(crate) cache_bytes: Option<u64>,
}

impl CacheArgs {
    pub(crate) fn options(&self) -> CacheOptions {
        CacheOptions {
            dir: self.cache_dir.clone(),
            bytes: self.cache_bytes,
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PolicyArg {
    /// A random window, reflection and colour noise.
    Train,
    /// A window of 8 to 100% of the area and a ratio of 3:4 to 4:3, resized; reflection and colour noise.
    RandomResizedCrop,
    /// The centre window.
    Center,
    /// The corners, the centre and their reflections: ten rows an image.
    TenView,
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

impl PolicyArg {
    /// The policy with windows of `crop` pixels, and with colour noise of `color_std` if it trains.
    pub(crate) const fn policy(self, crop: u32, color_std: f64) -> Policy {
        match self {
            Self::Train => Policy::Train {
                crop,
                flip: true,
                color_std,
            },
            Self::RandomResizedCrop => Policy::RandomResizedCrop {
                crop,
                scale: (0.08, 1.0),
                ratio: (3.0 / 4.0, 4.0 / 3.0),
                flip: true,
                color_std,
            },
            Self::Center => Policy::Center { crop },
            Self::TenView => Policy::TenView { crop },
        }
    }

    /// The name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::RandomResizedCrop => "random-resized-crop",
            Self::Center => "center",
            Self::TenView => "ten-view",
        }
    }
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
    pub(crate) policy: PolicyArg,
    /// Brightness, contrast, saturation and hue.
    pub(crate) color_jitter: Option<[f64; 4]>,
    pub(crate) output: OutputArg,
    pub(crate) layout: LayoutArg,
    #[serde(serialize_with = "named")]
    pub(crate) order: Order,
    pub(crate) verify: VerifyArg,
    pub(crate) advice: AdviceArg,
}

impl Row {
    /// The changes of colour, for the loader.
    pub(crate) fn jitter(&self) -> Option<ColorJitter> {
        let [brightness, contrast, saturation, hue] = self.color_jitter?;
        Some(ColorJitter {
            brightness,
            contrast,
            saturation,
            hue,
        })
    }
}

fn named<S: Serializer>(order: &Order, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(order)
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl BenchArgs {
    /// Every combination; the datasets vary fastest, so that codecs are next to each other. An error
    /// says which option cannot be followed.
    pub(crate) fn rows(&self) -> Result<Vec<Row>> {
        let color_jitter = self.jitter()?;
        let mut rows = Vec::new();
        for &threads in &self.threads {
            for &policy in &self.policy {
                for &output in &self.output {
                    for &layout in &self.layout {
                        for &order in &self.order {
                            for &verify in &self.verify {
                                for &advice in &self.advice {
                                    rows.extend(self.shards.iter().map(|shards| Row {
                                        shards: shards.clone(),
                                        threads,
                                        policy,
                                        color_jitter,
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
        }
        Ok(rows)
    }

    /// Checked here, so that no row is measured before a later one is refused.
    fn jitter(&self) -> Result<Option<[f64; 4]>> {
        let Some(given) = self.color_jitter.as_deref() else {
            return Ok(None);
        };
        let Ok(jitter) = <[f64; 4]>::try_from(given) else {
            bail!(
                "`--color-jitter` takes four numbers, brightness, contrast, saturation and hue, as in \
                 `--color-jitter 0.4,0.4,0.4,0.1`; {} were given",
                given.len()
            );
        };
        if jitter.iter().any(|by| !(0.0..f64::INFINITY).contains(by)) || jitter[3] > 0.5 {
            bail!(
                "`--color-jitter` takes 0 or more for each part, and at most 0.5 for the hue; {given:?} \
                 was given"
            );
        }
        let trains = |policy: PolicyArg| policy.policy(1, 0.0).color_std().is_some();
        if let Some(policy) = self.policy.iter().find(|policy| !trains(**policy)) {
            bail!(
                "`--policy {}` draws nothing at random, so it has no `--color-jitter`: leave one of them \
                 out",
                policy.name()
            );
        }
        Ok(Some(jitter))
    }
}
