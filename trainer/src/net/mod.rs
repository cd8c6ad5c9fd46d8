//! What AlexNet is: its configuration, layers, parameters, initial weights, rates and scores, and the
//! mean image that its inputs may be shifted by. Nothing here computes it, or opens a file.

pub mod config;
mod error;
pub mod layer;
pub(crate) mod mean_image;
mod model;
pub(crate) mod number;
mod parameter;
pub(crate) mod scores;
pub mod sgd;
pub mod shape;
mod stage;
mod state;
mod step;

pub use error::ModelError;
pub use model::Model;
pub use parameter::{Parameter, ParameterKind};
pub use state::{TrainState, TrainStateRef};
pub(crate) use step::{BatchPlace, StepMetrics};
pub use step::{DropoutKey, MaskKey, Masks, StepOutput};
