//! What the answers to images need.

use shardmill_loader::Dataset;

use super::material::{Chosen, Data, Material};

/// A network, and the images that it is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subjects<'m> {
    pub(super) chosen: &'m Chosen,
    pub(super) data: &'m Data,
    /// The split that is judged.
    pub(super) judged: &'m Dataset,
}

impl<'m> Subjects<'m> {
    /// What there is of a run.
    ///
    /// # Errors
    /// What is missing, in words.
    pub(super) fn of(material: &'m Material) -> Result<Self, &'m str> {
        let chosen = material.checkpoint.as_ref().map_err(|reason| &**reason)?;
        let data = material.data.as_ref().map_err(|reason| &**reason)?;
        let judged = data.judged.as_ref().map_err(|reason| &**reason)?;
        Ok(Self {
            chosen,
            data,
            judged,
        })
    }
}
