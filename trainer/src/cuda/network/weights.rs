//! The parameters of a network on the card: f32 values that the optimiser moves, their velocities and
//! gradients, and what the passes compute with.

use std::rc::Rc;

use crate::compute::Precision;
use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Buffer, Element, View, ViewMut};
use crate::cuda::kernels::Channels;
use crate::net::Model;
use crate::net::layer::Layer;

/// One parameter on the card.
pub(crate) struct Weight {
    /// The values themselves, as a checkpoint has them.
    pub(crate) master: Buffer,
    /// What the passes read, where that is not the values themselves: bf16, or more channels.
    pub(crate) copy: Option<Buffer>,
    /// For conv1: its own channels and those that it is computed with.
    pub(crate) channels: Option<Channels>,
    /// There once training has begun.
    pub(crate) training: Option<Moving>,
}

/// What training needs of a parameter.
pub(crate) struct Moving {
    pub(crate) velocity: Buffer,
    /// As long as the values.
    pub(crate) gradient: Buffer,
    /// The gradient with more channels, as cuDNN gives it.
    pub(crate) padded: Option<Buffer>,
    /// The sum over a step's batches, or over several cards, in f32; there once it was made.
    pub(crate) sum: Option<Buffer>,
}

impl Moving {
    /// Adds the gradient times `share` to the sum; the first of a step replaces it.
    pub(crate) fn add(&mut self, gpu: &Gpu, share: f32, first: bool) -> Result<(), CudaError> {
        if self.sum.is_none() {
            self.sum = Some(gpu.buffer(Element::F32, self.gradient.len())?);
        }
        let sum = self.sum.as_mut().expect("made above");
        gpu.add_scaled(self.gradient.view(), share, first, sum.view_mut())
    }

    /// Whether the parameter moves by the sum: after several batches, and after a bf16 gradient was
    /// summed up over several cards, which is done in f32 as all sums are.
    pub(crate) fn is_summed(&self, accumulated: bool, others: bool) -> bool {
        accumulated || (others && self.gradient.view().element == Element::Bf16)
    }
}

impl Weight {
    /// What the passes read.
    pub(crate) fn compute(&self) -> View<'_> {
        self.copy.as_ref().unwrap_or(&self.master).view()
    }

    /// Where a pass writes the gradient.
    ///
    /// # Panics
    /// Before training has begun.
    pub(crate) fn gradient(&mut self) -> ViewMut<'_> {
        let moving = self.training.as_mut().expect("training has begun");
        let padded = moving.padded.as_mut();
        padded.unwrap_or(&mut moving.gradient).view_mut()
    }

    /// Fills the gradient with 0, where there is one.
    pub(crate) fn clear_gradient(&mut self) -> Result<(), CudaError> {
        let Some(moving) = &mut self.training else {
            return Ok(());
        };
        if let Some(padded) = &mut moving.padded {
            padded.clear()?;
        }
        moving.gradient.clear()
    }

    /// Bytes on the card.
    pub(crate) fn bytes(&self) -> usize {
        let training = self.training.iter().flat_map(|m| {
            [
                Some(&m.velocity),
                Some(&m.gradient),
                m.padded.as_ref(),
                m.sum.as_ref(),
            ]
        });
        let buffers = [Some(&self.master), self.copy.as_ref()];
        let buffers = buffers.into_iter().chain(training).flatten();
        buffers.map(Buffer::bytes).sum()
    }
}

/// Channels that conv1 is computed with: tensor cores take 16 bytes at a time.
pub(crate) fn input_channels(precision: Precision) -> usize {
    match precision {
        Precision::F32 | Precision::Tf32 => 4,
        Precision::Bf16 => 8,
    }
}

/// The parameters of `model`, in its order, without what training needs.
pub(crate) fn upload(gpu: &Rc<Gpu>, model: &Model) -> Result<Vec<Weight>, CudaError> {
    let mut weights = Vec::new();
    for (number, parameter) in model.parameters().iter().enumerate() {
        let values = parameter.values();
        let master = Buffer::from_host(&gpu.stream, &values)?;
        let channels = first_channels(model, number, gpu.precision);
        let element = gpu.element();
        let copy = match channels {
            Some(channels) => Some(gpu.buffer(element, channels.padded_len(values.len()))?),
            None if element == Element::F32 => None,
            None => Some(gpu.buffer(element, values.len())?),
        };
        let mut weight = Weight {
            master,
            copy,
            channels,
            training: None,
        };
        weight.refresh(gpu)?;
        weights.push(weight);
    }
    Ok(weights)
}

/// The channels of parameter `number` if it is conv1's weight.
fn first_channels(model: &Model, number: usize, precision: Precision) -> Option<Channels> {
    match model.layers().first() {
        Some(Layer::Conv(conv)) if number == 0 => Some(Channels {
            few: conv.shape.inputs,
            many: input_channels(precision),
        }),
        _ => None,
    }
}

impl Weight {
    /// Brings the copy up to date with the values.
    pub(crate) fn refresh(&mut self, gpu: &Gpu) -> Result<(), CudaError> {
        let Some(copy) = &mut self.copy else {
            return Ok(());
        };
        match self.channels {
            Some(channels) => gpu.widen(channels, self.master.view(), copy.view_mut()),
            None => gpu.cast(self.master.view(), copy.view_mut()),
        }
    }

    /// Makes room for training, with the velocity at `velocity`.
    pub(crate) fn begin(
        &mut self,
        gpu: &Gpu,
        velocity: &[f32],
        element: Element,
    ) -> Result<(), CudaError> {
        let len = self.master.len();
        let padded = match self.channels {
            Some(channels) => Some(gpu.buffer(gpu.element(), channels.padded_len(len))?),
            None => None,
        };
        // What was padded is brought back to the length of the values in f32.
        let element = if padded.is_some() {
            Element::F32
        } else {
            element
        };
        self.training = Some(Moving {
            velocity: Buffer::from_host(&gpu.stream, velocity)?,
            gradient: gpu.buffer(element, len)?,
            padded,
            sum: None,
        });
        Ok(())
    }

    /// After a backward pass: the gradient without the channels that were added.
    pub(crate) fn narrow(&mut self, gpu: &Gpu) -> Result<(), CudaError> {
        let (Some(channels), Some(moving)) = (self.channels, &mut self.training) else {
            return Ok(());
        };
        match &moving.padded {
            Some(padded) => gpu.narrow(channels, padded.view(), moving.gradient.view_mut()),
            None => Ok(()),
        }
    }
}
