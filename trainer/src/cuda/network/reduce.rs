//! The gradients of several cards become one.

use std::rc::Rc;

use super::Network;
use crate::cuda::error::CudaError;

impl Network {
    /// Where there are other cards: sums the step's gradients up over all of them, so that each has
    /// that of the whole step.
    ///
    /// # Errors
    /// What the card or NCCL reports, or that another card has failed.
    ///
    /// # Panics
    /// Before training has begun.
    pub(super) fn reduce(&mut self, accumulated: bool) -> Result<(), CudaError> {
        let gpu = Rc::clone(&self.gpu);
        let Some(link) = gpu.link() else {
            return Ok(());
        };
        let mut gradients = Vec::new();
        for weight in &mut self.weights {
            let moving = weight.training.as_mut().expect("training has begun");
            let gradient = if moving.is_summed(accumulated, true) {
                if !accumulated {
                    moving.add(&gpu, 1.0, true)?;
                }
                moving.sum.as_mut().expect("made above")
            } else {
                &mut moving.gradient
            };
            gradients.push(gradient.view_mut());
        }
        link.sum(&gpu.stream, gradients)
    }
}
