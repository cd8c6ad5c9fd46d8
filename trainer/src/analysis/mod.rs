//! What can be computed from a trained network and its images: numbers and pictures, but no pages.
//!
//! [`predict_split`] gives what a network predicts for each image of a split, and the outputs of a layer in the
//! same pass; [`FeatureWriter`] writes these outputs to a file of any size. [`nearest`] finds exact nearest
//! neighbours among them, and [`Agreement`] counts how many are of the same class.
//!
//! Of single units: [`filters`] counts dead and duplicate filters, [`occlusion`] moves a grey square over images, and
//! [`patches`] finds what excites channels most.

mod agreement;
pub(crate) mod colour;
pub(crate) mod confusion;
mod error;
mod feature_file;
mod features;
mod filters;
mod layers;
pub(crate) mod map;
mod neighbours;
mod occlusion;
mod patches;
mod predictions;
mod receptive;
mod sampling;
pub(crate) mod snapshots;

pub use agreement::{Agreement, ClassAgreement};
pub use error::AnalysisError;
pub use feature_file::{
    Description, FeatureFile, FeatureOptions, FeaturePlan, FeatureWriter, ShardId,
};
pub use features::{Features, Rows};
pub use filters::{Duplicate, FilterOptions, FilterReport, LayerFilters, filters};
pub use neighbours::{Neighbour, Search, nearest};
pub use occlusion::{OcclusionMap, OcclusionOptions, occlusion};
pub use patches::{Channel, ChannelPatches, Patch, PatchOptions, patches};
pub use predictions::{Guess, PredictOptions, Predicted, Prediction, Predictions, predict_split};

pub(crate) use features::check_memory;
