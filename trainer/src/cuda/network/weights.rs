//! The parameters of a network in GPU memory: f32 values that the optimizer updates, their velocities
//! and gradients, and the copies that the passes compute with.

use crate::compute::Precision;
use crate::cuda::device::{Buffer, CudaError, Device, Element, View, ViewMut};
use crate::cuda::kernels::{self, Channels};
use crate::cuda::network::{OptimizerState, Weight};
use crate::net::Model;
use crate::net::layer::Layer;

impl OptimizerState {
    /// Adds the gradient times `share` to the sum; the first of a step replaces it.
    pub(super) fn add(
        &mut self,
        device: &Device,
        share: f32,
        first: bool,
    ) -> Result<(), CudaError> {
        if self.sum.is_none() {
            self.sum = Some(device.buffer(Element::F32, self.gradient.len())?);
        }
        let sum = self.sum.as_mut().expect("made above");
        kernels::add_scaled(device, self.gradient.view(), share, first, sum.view_mut())
    }

    /// Whether the update uses the sum: after several batches, and after a bf16 gradient was summed
    /// over several GPUs, in f32 as all sums are.
    pub(super) fn is_summed(&self, accumulated: bool, has_peers: bool) -> bool {
        accumulated || (has_peers && self.gradient.view().element == Element::Bf16)
    }
}

impl Weight {
    /// What the passes read.
    pub(super) fn compute(&self) -> View<'_> {
        self.copy.as_ref().unwrap_or(&self.master).view()
    }

    /// Where a pass writes the gradient.
    ///
    /// # Panics
    /// Before training has begun.
    pub(super) fn gradient(&mut self) -> ViewMut<'_> {
        let state = self.training.as_mut().expect("training has begun");
        let padded = state.padded.as_mut();
        padded.unwrap_or(&mut state.gradient).view_mut()
    }

    /// Fills the gradient with 0, if there is one.
    pub(super) fn clear_gradient(&mut self) -> Result<(), CudaError> {
        let Some(state) = &mut self.training else {
            return Ok(());
        };
        if let Some(padded) = &mut state.padded {
            padded.clear()?;
        }
        state.gradient.clear()
    }

    /// Bytes of GPU memory.
    pub(super) fn bytes(&self) -> usize {
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

    /// Updates the copy from the f32 values.
    pub(super) fn refresh(&mut self, device: &Device) -> Result<(), CudaError> {
        let Some(copy) = &mut self.copy else {
            return Ok(());
        };
        match self.channels {
            Some(channels) => kernels::widen(device, channels, self.master.view(), copy.view_mut()),
            None => kernels::cast(device, self.master.view(), copy.view_mut()),
        }
    }

    /// Allocates the optimizer state, with this velocity.
    pub(super) fn begin(
        &mut self,
        device: &Device,
        velocity: &[f32],
        element: Element,
    ) -> Result<(), CudaError> {
        let len = self.master.len();
        let padded = match self.channels {
            Some(channels) => Some(device.buffer(device.element(), channels.padded_len(len))?),
            None => None,
        };
        // A padded gradient is cut to the own channels, in f32.
        let element = if padded.is_some() {
            Element::F32
        } else {
            element
        };
        self.training = Some(OptimizerState {
            velocity: Buffer::from_host(&device.stream, velocity)?,
            gradient: device.buffer(element, len)?,
            padded,
            sum: None,
        });
        Ok(())
    }

    /// After a backward pass: the gradient without the added channels.
    pub(super) fn narrow(&mut self, device: &Device) -> Result<(), CudaError> {
        let (Some(channels), Some(state)) = (self.channels, &mut self.training) else {
            return Ok(());
        };
        match &state.padded {
            Some(padded) => {
                kernels::narrow(device, channels, padded.view(), state.gradient.view_mut())
            }
            None => Ok(()),
        }
    }
}

/// Channels that conv1 is computed with: tensor cores take 16 bytes at a time.
pub(crate) fn input_channels(precision: Precision) -> usize {
    match precision {
        Precision::F32 | Precision::Tf32 => 4,
        Precision::Bf16 => 8,
    }
}

/// Uploads the parameters of `model`, in its order, without optimizer state.
pub(super) fn upload(device: &Device, model: &Model) -> Result<Vec<Weight>, CudaError> {
    let mut weights = Vec::new();
    for (number, parameter) in model.parameters().iter().enumerate() {
        let values = parameter.values();
        let master = Buffer::from_host(&device.stream, &values)?;
        let channels = first_channels(model, number, device.precision);
        let element = device.element();
        let copy = match channels {
            Some(channels) => Some(device.buffer(element, channels.padded_len(values.len()))?),
            None if element == Element::F32 => None,
            None => Some(device.buffer(element, values.len())?),
        };
        let mut weight = Weight {
            master,
            copy,
            channels,
            training: None,
        };
        weight.refresh(device)?;
        weights.push(weight);
    }
    Ok(weights)
}

/// The channels of parameter `number` if it is conv1's weight.
fn first_channels(model: &Model, number: usize, precision: Precision) -> Option<Channels> {
    match model.layers().first() {
        Some(Layer::Conv(conv)) if number == 0 => Some(Channels {
            own: conv.shape.inputs,
            padded: input_channels(precision),
        }),
        _ => None,
    }
}
