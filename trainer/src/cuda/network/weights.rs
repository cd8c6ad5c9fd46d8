//! The parameters of a model in GPU memory, and what the optimizer needs of each.

use crate::cuda::device::{Buffer, CudaError, Device, Element, TensorBuffer, View, ViewMut};
use crate::cuda::kernels::{self, Canvas, ConvKernels};
use crate::net::Model;
use crate::net::layer::Layer;

/// One parameter in GPU memory.
pub(super) struct Weight {
    /// The f32 values, as in a checkpoint. Each update changes the tensor in place.
    pub(super) master: TensorBuffer,
    /// What the passes read instead of the f32 values, if anything: bf16, or conv1's kernels as they are computed with.
    pub(super) copy: Option<Buffer>,
    /// For conv1, which is computed with other kernels.
    pub(super) wide: Option<ConvKernels>,
    /// `None` until training begins.
    pub(super) training: Option<OptimizerState>,
}

/// What the optimizer needs of a parameter.
pub(super) struct OptimizerState {
    pub(super) velocity: Buffer,
    /// As many values as the parameter.
    pub(super) gradient: Buffer,
    /// The gradient of the kernels that conv1 is computed with, as cuDNN writes it.
    pub(super) padded: Option<Buffer>,
    /// The sum over a step's batches, or over several GPUs, in f32; `None` until it is needed.
    pub(super) sum: Option<Buffer>,
}

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
        computed(&self.master, self.copy.as_ref())
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
        let buffers = self.copy.iter().chain(training.flatten());
        self.master.bytes() + buffers.map(Buffer::bytes).sum::<usize>()
    }

    /// Updates the copy from the f32 values.
    pub(super) fn refresh(&mut self, device: &Device) -> Result<(), CudaError> {
        let Some(copy) = &mut self.copy else {
            return Ok(());
        };
        match self.wide {
            Some(wide) => kernels::widen(device, wide, self.master.view(), copy.view_mut()),
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
        let padded = match self.wide {
            Some(wide) => Some(device.buffer(device.element(), wide.widened(len))?),
            None => None,
        };
        // A padded gradient is cut to the own weights, in f32.
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

    /// After a backward pass: the gradient of the own weights.
    pub(super) fn narrow(&mut self, device: &Device) -> Result<(), CudaError> {
        let (Some(wide), Some(state)) = (self.wide, &mut self.training) else {
            return Ok(());
        };
        match &state.padded {
            Some(padded) => kernels::narrow(device, wide, padded.view(), state.gradient.view_mut()),
            None => Ok(()),
        }
    }
}

/// Uploads the parameters of `model`, in its order, without optimizer state.
pub(super) fn upload(device: &Device, model: &Model) -> Result<Vec<Weight>, CudaError> {
    let mut weights = Vec::new();
    for (number, parameter) in model.parameters().iter().enumerate() {
        let values = parameter.values();
        let master = TensorBuffer::from_host(device, &values, parameter.tensor().dims())?;
        let wide = first_kernels(device, model, number);
        let element = device.element();
        let copy = match wide {
            Some(wide) => Some(device.buffer(element, wide.widened(values.len()))?),
            None if element == Element::F32 => None,
            None => Some(device.buffer(element, values.len())?),
        };
        let mut weight = Weight {
            master,
            copy,
            wide,
            training: None,
        };
        weight.refresh(device)?;
        weights.push(weight);
    }
    Ok(weights)
}

/// How parameter `number` is computed with if it is conv1's weight.
fn first_kernels(device: &Device, model: &Model, number: usize) -> Option<ConvKernels> {
    match model.layers().first() {
        Some(Layer::Conv(conv)) if number == 0 => {
            Some(Canvas::new(conv.shape, device.input_channels()).kernels())
        }
        _ => None,
    }
}

/// What the passes read of a parameter.
pub(super) fn computed<'a>(master: &'a TensorBuffer, copy: Option<&'a Buffer>) -> View<'a> {
    copy.map_or_else(|| master.view(), Buffer::view)
}
