//! The gradients of several cards become one.
//!
//! Those of the fully connected layers, which are nearly all, are there first: they are summed up while
//! the convolutions' are still worked out. What is begun here is not touched before it is ended, in
//! [`reduce`](Network::reduce).

use std::rc::Rc;

use crate::cuda::cards::Link;
use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::network::Network;
use crate::net::layer::Layer;

impl Network {
    /// Where there are other cards and the step has one batch, whose backward pass has come down to layer
    /// `index`: begins to sum up the fully connected layers' gradients, if that is the first of them.
    ///
    /// # Errors
    /// What the card or NCCL reports, or that another card has failed.
    pub(crate) fn reduce_early(
        &mut self,
        index: usize,
        accumulated: bool,
    ) -> Result<(), CudaError> {
        let gpu = Rc::clone(&self.gpu);
        match gpu.link() {
            Some(link) if !accumulated && index == self.first_linear() => {
                let first = self.parameter(index);
                self.begin(&gpu, link, first..self.weights.len(), false)
            }
            _ => Ok(()),
        }
    }

    /// Where there are other cards: sums the step's gradients up over all of them, so that each has
    /// that of the whole step.
    ///
    /// # Errors
    /// As [`reduce_early`](Self::reduce_early).
    ///
    /// # Panics
    /// Before training has begun.
    pub(crate) fn reduce(&mut self, accumulated: bool) -> Result<(), CudaError> {
        let gpu = Rc::clone(&self.gpu);
        let Some(link) = gpu.link() else {
            return Ok(());
        };
        let rest = if accumulated {
            self.weights.len()
        } else {
            self.parameter(self.first_linear())
        };
        self.begin(&gpu, link, 0..rest, accumulated)?;
        link.end(&gpu.stream)
    }

    /// The lowest fully connected layer.
    fn first_linear(&self) -> usize {
        let linear = |layer: &Layer| matches!(layer, Layer::Linear(_));
        let first = self.layers.iter().position(linear);
        first.expect("every network ends with fc8")
    }

    fn begin(
        &mut self,
        gpu: &Rc<Gpu>,
        link: &Link,
        numbers: std::ops::Range<usize>,
        accumulated: bool,
    ) -> Result<(), CudaError> {
        let mut gradients = Vec::new();
        for weight in &mut self.weights[numbers] {
            let moving = weight.training.as_mut().expect("training has begun");
            let gradient = if moving.is_summed(accumulated, true) {
                if !accumulated {
                    moving.add(gpu, 1.0, true)?;
                }
                moving.sum.as_mut().expect("made above")
            } else {
                &mut moving.gradient
            };
            gradients.push(gradient.view_mut());
        }
        link.begin(&gpu.stream, gradients)
    }
}
