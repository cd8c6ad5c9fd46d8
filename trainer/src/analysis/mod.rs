//! What can be computed from a trained network and its images: numbers and pictures, but no pages.
//!
//! [`predict_split`] gives what a network predicts for each image of a split, and the outputs of a layer in the
//! same pass; [`FeatureWriter`] writes these outputs to a file of any size. [`nearest`] finds exact nearest
//! neighbours among them, and [`Agreement`] counts how many are of the same class.

mod agreement;
mod error;
mod feature_file;
mod features;
mod layers;
mod neighbours;
mod predictions;
pub(crate) mod snapshots;

pub use agreement::{Agreement, ClassAgreement};
pub use error::AnalysisError;
pub use feature_file::{
    Description, FeatureFile, FeatureOptions, FeaturePlan, FeatureWriter, ShardId,
};
pub use features::{Features, Rows};
pub use neighbours::{Neighbour, Search, nearest};
pub use predictions::{Guess, PredictOptions, Predicted, Prediction, Predictions, predict_split};

pub(crate) use features::check_memory;
