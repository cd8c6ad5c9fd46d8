//! A training run, and evaluation: the only place that opens datasets.

pub(crate) mod data;
mod divergence;
pub(crate) mod error;
pub(crate) mod eval;
mod options;
mod outcome;
pub(crate) mod report;
mod stop;
pub(crate) mod subset;
mod training;
mod view;

pub use options::TrainOptions;
pub use outcome::TrainOutcome;
pub use stop::Stop;
pub use training::train;
pub use view::View;
