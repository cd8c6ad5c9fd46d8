//! Trains AlexNet on Shardmill shards: the 2012 network, its recipe, and everything around them.
//!
//! The two types to know are [`TrainOptions`], whose defaults are the paper, and [`Checkpoint`], which
//! holds all that a run needs to go on as if it had never stopped. [`train`] starts or resumes a run;
//! [`evaluate`] measures a checkpoint. [`run_command_line`] is the program `train` itself. [`Network`] is
//! the network on a candle device, with parameters and logits as candle tensors; the operations alone, on such tensors,
//! are in [`candle_ops`].
//!
//! ```no_run
//! use shardmill_trainer::settings::{Cropping, ScheduleConfig};
//! use shardmill_trainer::{
//!     Checkpoint, Compute, CudaOptions, EvalOptions, Recipe, TrainOptions, View, evaluate, train,
//! };
//!
//! let mut options = TrainOptions::new("shards", "runs/first");
//! options.recipe = Recipe {
//!     epochs: 8,
//!     batch_size: 64,
//!     lr: 0.002,
//!     cropping: Cropping::resized(),
//!     schedule: ScheduleConfig::steps(vec![6]),
//!     ..Recipe::default()
//! };
//! options.model.width = 0.5;
//! options.threads = 4;
//! if cfg!(feature = "cuda") {
//!     options.compute = Compute::Cuda(CudaOptions::default());
//! }
//! // Another thread may ask for an early end, with a checkpoint: `stop.request()`.
//! let stop = options.stop.clone();
//! let outcome = train(&options)?;
//!
//! // The same options, once more, go on from the last checkpoint.
//! if !outcome.finished {
//!     options.resume = true;
//!     train(&options)?;
//! }
//!
//! let best = outcome.best.unwrap_or(outcome.last);
//! let mut evaluating = EvalOptions::new(&best, "shards");
//! evaluating.views = vec![View::Ten];
//! let evaluation = evaluate(&evaluating)?;
//! let state = Checkpoint::peek(&best)?;
//! println!(
//!     "{} classes, {} epochs: top-1 error {:.2}%",
//!     state.classes.len(),
//!     state.progress.epoch,
//!     evaluation.ten.expect("it was asked for").top1_error
//! );
//! # Ok::<(), shardmill_trainer::TrainError>(())
//! ```

#![deny(unsafe_code)]

pub mod analysis;
pub mod candle_ops;
mod checkpoint;
mod cli;
mod compute;
mod cpu;
mod cuda;
mod engine;
mod net;
mod network;
mod ranks;
mod recipe;
mod report;
mod run;
mod study;
mod tools;

pub use checkpoint::{Checkpoint, CheckpointError, RunState};
pub use cli::run_command_line;
pub use compute::{Compute, CudaOptions};
pub use engine::EngineError;
pub use net::config::{ModelConfig, ModelConfigError, Variant};
pub use net::scores::Scores;
pub use network::Network;
pub use recipe::Recipe;
pub use recipe::setup::{Setup, SetupError};
pub use run::error::TrainError;
pub use run::eval::{EvalOptions, Evaluation, evaluate};
pub use run::log::Display;
pub use run::{Stop, Subject, TrainOptions, TrainOutcome, View, train};

/// The types of the fields of [`Recipe`], [`ModelConfig`], [`Compute`] and [`EvalOptions`].
pub mod settings {
    pub use crate::compute::{DeviceSet, Precision};
    pub use crate::net::config::{
        Activation, Conv1Order, Conv1Padding, Conv1Window, InitConfig, LrnConfig, Pooling,
    };
    pub use crate::net::sgd::SgdConfig;
    pub use crate::recipe::augmentation::{Cropping, Jitter};
    pub use crate::recipe::difference::Difference;
    pub use crate::recipe::schedule::{NET_145_MILESTONES, ScheduleConfig};
    pub use crate::recipe::setup::NAMES;
    pub use crate::recipe::{ColorNoise, InputScale, LaterRate, Mean};
    pub use crate::run::TrainingError;
    pub use crate::run::subset::{Softmax, SubsetSize};
    pub use shardmill_loader::{CacheOptions, Order};
}

/// The types of the fields of [`RunState`], what a checkpoint knows of its run.
pub mod state {
    pub use crate::checkpoint::{PixelStatistics, Progress};
    pub use crate::net::scores::Tally;
    pub use crate::recipe::schedule::{Passed, ScheduleState};
}

/// What the tests of this project reach into; no part of the crate's interface.
#[doc(hidden)]
pub mod internals {
    pub use crate::checkpoint::exchange;
    pub use crate::cpu::{Activations, Network, ops};
    pub use crate::net::mean_image::{MeanCut, MeanImage};
    pub use crate::net::{
        DropoutKey, MaskKey, Masks, Model, ModelError, Parameter, ParameterKind, StepOutput,
        TrainState, TrainStateRef, config, layer, sgd, shape,
    };
    pub use crate::ranks::{Link, LocalLink, RankError, Ranks, local_links};
    pub use crate::run::data::mean_image;
    pub use crate::run::train_among;
    pub use crate::tools::demo::{CLASSES, TreeSize, color_error, write_tree};
}
