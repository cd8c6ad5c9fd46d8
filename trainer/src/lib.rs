//! Trains AlexNet on Shardmill shards: the 2012 network, its recipe, and everything around them.
//!
//! The two types to know are [`TrainOptions`], whose defaults are the paper, and [`Checkpoint`],
//! which holds all that a run needs to go on as if it had never stopped. [`train`] runs, or goes on
//! with, a whole training; [`evaluate`] measures a checkpoint.
//!
//! ```no_run
//! use shardmill_trainer::{EvalOptions, Recipe, TrainOptions, evaluate, train};
//!
//! let mut options = TrainOptions::new("shards", "runs/first");
//! options.recipe = Recipe { epochs: 8, batch_size: 64, lr: 0.002, ..Recipe::default() };
//! let outcome = train(&options)?;
//!
//! let evaluation = evaluate(&EvalOptions::new(&outcome.last, "shards"))?;
//! println!("{}", evaluation.ten.expect("both views are the default").top1_error);
//! # Ok::<(), shardmill_trainer::TrainError>(())
//! ```

#![deny(unsafe_code)]

pub mod candle_ops;
mod checkpoint;
mod cli;
mod compute;
mod cpu;
mod cuda;
mod engine;
mod net;
mod recipe;
mod run;
mod tools;

pub use checkpoint::{Checkpoint, CheckpointError, PixelStatistics, Progress, RunState};
pub use cli::run_command_line;
pub use compute::{Compute, CudaOptions, DeviceSet, Precision};
#[cfg(feature = "cuda")]
pub use cuda::CudaError;
pub use engine::EngineError;
pub use net::config::{
    Activation, Conv1Order, Conv1Padding, InitConfig, LrnConfig, ModelConfig, ModelConfigError,
    Pooling, Variant,
};
pub use net::mean_image::{MeanCut, MeanImage};
pub use net::scores::{Scores, Tally};
pub use recipe::augmentation::{Cropping, Jitter};
pub use recipe::schedule::{NET_145_MILESTONES, Observation, ScheduleConfig, ScheduleState};
pub use recipe::{InputScale, LaterRate, Mean, Recipe};
pub use run::data::classes;
pub use run::error::TrainError;
pub use run::eval::{EvalOptions, Evaluation, View, evaluate};
pub use run::report::Display;
pub use run::subset::{Softmax, SubsetSize};
pub use run::{Stop, TrainOptions, TrainOutcome, train};
#[cfg(feature = "cuda")]
pub use tools::check as gpu_check;

/// What the tests and benchmarks of this project reach into; no part of the crate's interface.
#[doc(hidden)]
pub mod internals {
    pub use crate::checkpoint::exchange;
    pub use crate::cpu::{footprint, ops};
    pub use crate::net::{
        DropoutKey, MaskKey, Masks, Model, ModelError, Parameter, ParameterKind, StepOutput,
        TrainState, config, layer, sgd, shape,
    };
    pub use crate::recipe::setup;
    pub use crate::tools::{bench, demo, doctor, predict, summary};
}
