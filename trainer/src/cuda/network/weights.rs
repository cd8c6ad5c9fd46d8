//! The parameters of a model on their way into GPU memory.

use crate::cuda::device::{Buffer, CudaError, Device, Element};
use crate::cuda::kernels::{Canvas, ConvKernels};
use crate::cuda::network::Weight;
use crate::net::Model;
use crate::net::layer::Layer;

/// Uploads the parameters of `model`, in its order, without optimizer state.
pub(super) fn upload(device: &Device, model: &Model) -> Result<Vec<Weight>, CudaError> {
    let mut weights = Vec::new();
    for (number, parameter) in model.parameters().iter().enumerate() {
        let values = parameter.values();
        let master = Buffer::from_host(&device.stream, &values)?;
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
