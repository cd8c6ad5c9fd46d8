//! Between a checkpoint's tensors and a network with its optimiser.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::Checkpoint;
use crate::model::{Model, ModelError};
use crate::sgd::Sgd;

impl Checkpoint {
    /// The tensors of a network and its optimiser by name, as [`write`](Self::write) takes them.
    ///
    /// # Errors
    /// What candle reports.
    pub fn tensors(model: &Model, sgd: &Sgd) -> Result<BTreeMap<String, Tensor>, ModelError> {
        let parameters = model.parameters().iter();
        let parameters = parameters.map(|p| (p.name().to_owned(), p.tensor().clone()));
        Ok(parameters.chain(sgd.state()?).collect())
    }

    /// The network with the checkpoint's parameters.
    ///
    /// # Errors
    /// A parameter that is missing or has another shape.
    pub fn model(&self) -> Result<Model, ModelError> {
        let mut model = Model::new(&self.state.model, self.state.seed)?;
        let names: Vec<String> = model
            .parameters()
            .iter()
            .map(|parameter| parameter.name().to_owned())
            .collect();
        for name in names {
            let tensor = self.tensor(&name)?;
            model.set_parameter(&name, tensor)?;
        }
        Ok(model)
    }

    /// The optimiser of `model` with the checkpoint's velocities.
    ///
    /// # Errors
    /// A velocity that is missing or has another shape.
    pub fn sgd(&self, model: &Model) -> Result<Sgd, ModelError> {
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
