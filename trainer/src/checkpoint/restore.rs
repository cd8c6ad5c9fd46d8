//! Between a checkpoint's tensors and a training's state.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Tensor;

use crate::checkpoint::Checkpoint;
use crate::net::mean_image::MeanImage;
use crate::net::sgd::Sgd;
use crate::net::{Model, ModelError, TrainState, TrainStateRef};

/// The name of the mean image among the tensors.
const MEAN_IMAGE: &str = "mean_image";

/// Side of the records that `prep ingest` makes by default.
const RECORD_SIDE: usize = 256;

impl Checkpoint {
    /// The tensors of a training by name, as [`write`](Self::write) takes them.
    ///
    /// # Errors
    /// What candle reports.
    pub fn tensors(state: TrainStateRef<'_>) -> Result<BTreeMap<String, Tensor>, ModelError> {
        let mut tensors = Self::weights(state.model, state.mean_image)?;
        tensors.extend(state.sgd.state()?);
        Ok(tensors)
    }

    /// The tensors of a network alone by name: its parameters and its mean image, if it has one.
    ///
    /// # Errors
    /// What candle reports.
    pub fn weights(
        model: &Model,
        mean: Option<&MeanImage>,
    ) -> Result<BTreeMap<String, Tensor>, ModelError> {
        let parameters = model.parameters().iter();
        let parameters = parameters.map(|p| (p.name().to_owned(), p.tensor().clone()));
        let mut tensors: BTreeMap<_, _> = parameters.collect();
        if let Some(mean) = mean {
            tensors.insert(MEAN_IMAGE.to_owned(), mean.tensor()?);
        }
        Ok(tensors)
    }

    /// The network with the checkpoint's parameters.
    ///
    /// # Errors
    /// A parameter that is missing or has another shape.
    pub fn model(&self) -> Result<Model, ModelError> {
        let mut model = Model::new(&self.state.model, self.state.seed)?;
        model.load(|parameter| self.tensor(parameter.name()).cloned().map(Some))?;
        Ok(model)
    }

    /// The mean image that is subtracted from the network's inputs, if its recipe has one.
    ///
    /// # Errors
    /// A mean image that is missing or has another shape.
    pub fn mean_image(&self) -> Result<Option<Arc<MeanImage>>, ModelError> {
        let Some(cut) = self.state.recipe.mean.cut() else {
            return Ok(None);
        };
        let tensor = self.tensor(MEAN_IMAGE)?;
        let mean = MeanImage::from_tensor(tensor, cut, self.state.model.input_size)?;
        let mean = mean.ok_or_else(|| ModelError::ParameterShape {
            name: MEAN_IMAGE.to_owned(),
            found: tensor.dims().to_vec(),
            expected: vec![RECORD_SIDE, RECORD_SIDE, 3],
        })?;
        Ok(Some(Arc::new(mean)))
    }

    /// All that training goes on from.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape.
    pub fn train_state(&self) -> Result<TrainState, ModelError> {
        let model = self.model()?;
        let mean_image = self.mean_image()?;
        let sgd = self.sgd(&model)?;
        Ok(TrainState {
            model,
            sgd,
            mean_image,
        })
    }

    /// The optimiser of `model` with the checkpoint's velocities.
    fn sgd(&self, model: &Model) -> Result<Sgd, ModelError> {
        let mut sgd = Sgd::new(model, self.state.recipe.sgd);
        for (name, _) in sgd.state()? {
            sgd.set_state(&name, self.tensor(&name)?)?;
        }
        Ok(sgd)
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, ModelError> {
        let missing = || ModelError::UnknownParameter {
            name: name.to_owned(),
        };
        self.tensors.get(name).ok_or_else(missing)
    }
}
