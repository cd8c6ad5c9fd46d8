//! A training run, and evaluation: the only place that opens datasets.

pub(crate) mod data;
mod divergence;
pub(crate) mod error;
pub(crate) mod eval;
pub(crate) mod log;
mod options;
mod outcome;
pub(crate) mod pass;
mod stop;
pub(crate) mod subject;
pub(crate) mod subset;
mod training;
mod view;

use crate::net::config::Variant;

pub(crate) use divergence::FEW_CLASSES;
pub use options::{TrainOptions, TrainingError};
pub use outcome::TrainOutcome;
pub use stop::Stop;
pub use subject::Subject;
pub use training::{train, train_among};
pub use view::View;

/// The file of the last checkpoint in a run's folder.
pub(crate) const LAST: &str = "last.safetensors";

/// The folder of the snapshots of conv1's kernels in a run's folder.
pub(crate) const SNAPSHOTS: &str = "kernels";

/// A variant as it is called on the command line.
pub(crate) const fn variant_name(variant: Variant) -> &'static str {
    match variant {
        Variant::Alexnet => "alexnet",
        Variant::AlexnetOwt => "alexnet-owt",
        Variant::Fig1 => "fig1",
    }
}
