//! Trains AlexNet on Shardmill shards: the 2012 network, its recipe, and everything around them.
//!
//! The two types to know are [`TrainOptions`], whose defaults are the paper, and [`Checkpoint`],
//! which holds all that a run needs to go on as if it had never stopped. [`train`] runs, or goes on
//! with, a whole training; [`evaluate`] measures a checkpoint. Below them are [`Model`](model::Model)
//! with its hand-written backward pass and [`Sgd`](sgd::Sgd), over the kernels in [`ops`].
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

mod augmentation;
pub mod bench;
mod checkpoint;
mod checksum;
mod cli;
mod compute;
mod config;
mod cuda;
mod data;
pub mod demo;
mod difference;
pub mod doctor;
mod engine;
mod error;
mod eval;
pub mod exchange;
mod mean_image;
pub mod memory;
pub mod model;
pub mod model_config;
pub mod ops;
pub mod predict;
mod report;
mod schedule;
pub mod setup;
pub mod sgd;
mod subset;
pub mod summary;
mod tally;
mod train;

pub use augmentation::{Cropping, Jitter};
pub use checkpoint::{Checkpoint, CheckpointError, PixelStatistics, Progress, RunState};
pub use cli::run_command_line;
pub use compute::{CardSet, CardsOptions, Compute, CudaOptions, Precision};
pub use config::{InputScale, LaterRate, Mean, Recipe};
#[cfg(feature = "cuda")]
pub use cuda::{CudaError, check as gpu_check};
pub use data::classes;
pub use error::TrainError;
pub use eval::{EvalOptions, Evaluation, View, evaluate};
pub use mean_image::{MeanCut, MeanImage};
pub use model_config::{
    Activation, Conv1Order, Conv1Padding, InitConfig, LrnConfig, ModelConfig, ModelConfigError,
    Pooling, Variant,
};
pub use report::Display;
pub use schedule::{NET_145_MILESTONES, Observation, ScheduleConfig, ScheduleState};
pub use subset::{Softmax, SubsetSize};
pub use tally::{Scores, Tally};
pub use train::{Stop, TrainOptions, TrainOutcome, train};
