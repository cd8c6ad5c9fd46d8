//! What training changes, and what comes with it.

use std::sync::Arc;

use crate::net::Model;
use crate::net::mean_image::MeanImage;
use crate::net::sgd::{Sgd, SgdConfig};

/// The tensors of a training: the weights, the optimiser's state, and the mean image that is subtracted
/// from the network's inputs.
pub struct TrainState {
    /// The weights.
    pub model: Model,
    /// The optimiser.
    pub sgd: Sgd,
    /// The mean image; `None` where the channels' means are subtracted.
    pub mean_image: Option<Arc<MeanImage>>,
}

impl TrainState {
    /// The state before the first step, without a mean image.
    #[must_use]
    pub fn new(model: Model, config: SgdConfig) -> Self {
        Self {
            sgd: Sgd::new(&model, config),
            model,
            mean_image: None,
        }
    }
}

/// A borrowed [`TrainState`], for an engine that keeps its parts in several places.
#[derive(Clone, Copy)]
pub struct TrainStateRef<'a> {
    /// The weights.
    pub model: &'a Model,
    /// The optimiser.
    pub sgd: &'a Sgd,
    /// The mean image, if there is one.
    pub mean_image: Option<&'a MeanImage>,
}

impl<'a> From<&'a TrainState> for TrainStateRef<'a> {
    fn from(state: &'a TrainState) -> Self {
        Self {
            model: &state.model,
            sgd: &state.sgd,
            mean_image: state.mean_image.as_deref(),
        }
    }
}
