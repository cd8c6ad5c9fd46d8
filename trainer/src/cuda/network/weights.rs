//! The parameters of a model on their way into GPU memory.

use crate::cuda::device::{Buffer, CudaError, Device, Element};
use crate::cuda::kernels::Channels;
use crate::cuda::network::Weight;
use crate::net::Model;
use crate::net::layer::Layer;

/// Uploads the parameters of `model`, in its order, without optimizer state.
pub(super) fn upload(device: &Device, model: &Model) -> Result<Vec<Weight>, CudaError> {
    let mut weights = Vec::new();
    for (number, parameter) in model.parameters().iter().enumerate() {
        let values = parameter.values();
        let master = Buffer::from_host(&device.stream, &values)?;
        let channels = first_channels(device, model, number);
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
fn first_channels(device: &Device, model: &Model, number: usize) -> Option<Channels> {
    match model.layers().first() {
        Some(Layer::Conv(conv)) if number == 0 => Some(Channels {
            own: conv.shape.inputs,
            padded: device.input_channels(),
        }),
        _ => None,
    }
}
