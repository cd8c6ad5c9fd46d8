//! A whole network on a GPU: forward pass, loss, backward pass and update, in memory that is allocated
//! by the end of the first step and stays.

mod backward;
mod forward;
mod plan;
mod timing;
mod update;
mod weights;

use std::rc::Rc;

use candle_core::Tensor;

use crate::cuda::BatchDropout;
use crate::cuda::device::{Buffer, CudaError, Device, Element, View, copy, tensor_view};
use crate::cuda::kernels::{self, Canvas, SgdTable};
use crate::cuda::layout::{Layout, layouts};
use crate::net::layer::Layer;
use crate::net::{MaskKey, Model};
use plan::Plans;
use timing::Timing;
use weights::Weight;

pub(crate) use plan::asked_convolutions;
pub(crate) use timing::{LayerAlgorithm, StageSeconds};

/// Bytes of workspace for the search for algorithms, if so much is free.
const SEARCH_WORKSPACE: usize = 1 << 30;

/// The search takes at most one part in so many of the free memory.
const SEARCH_SHARE: usize = 4;

/// Bytes on whose bounds cuDNN and our kernels want tensors.
const BOUND: usize = 16;

impl BatchDropout {
    /// The mask of layer `index`, and its first value for these images.
    fn mask(self, layers: &[Layer], index: usize) -> (MaskKey, usize) {
        let is_dropout = |layer: &&Layer| matches!(layer, Layer::Dropout(_));
        let number = layers[..index].iter().filter(is_dropout).count();
        let first = self.first * layers[index].output_len();
        (self.key.mask(number as u32), first)
    }
}

/// A network on a GPU, for batches of at most `capacity` images.
///
/// Errors are those of the driver, of a library or of NCCL: too little memory, say, or another GPU that
/// has failed.
pub(crate) struct Network {
    device: Rc<Device>,
    layers: Vec<Layer>,
    classes: usize,
    capacity: usize,
    canvas: Canvas,
    /// The images as conv1 takes them.
    input: Buffer,
    /// The output of each layer.
    outputs: Vec<Buffer>,
    /// Where the channels of each output lie; those of a gradient lie as the output's.
    layouts: Vec<Layout>,
    /// For each pool, the places of the largest values.
    winners: Vec<Option<Buffer>>,
    weights: Vec<Weight>,
    workspace: Buffer,
    /// Whether the workspace has its final size.
    is_workspace_final: bool,
    plans: Plans,
    /// Partial sums of bias gradients, of losses, and of norms.
    scratch: Buffer,
    training: Option<Training>,
    frozen: bool,
    /// Events of the step that is being timed.
    timing: Option<Timing>,
}

/// What only training needs.
struct Training {
    /// The gradient of the output of the current layer, and that of its input.
    current: Buffer,
    next: Buffer,
    table: SgdTable,
}

impl Network {
    /// The network of `model` with its parameters.
    pub(crate) fn new(
        device: &Rc<Device>,
        model: &Model,
        capacity: usize,
    ) -> Result<Self, CudaError> {
        let layers = model.layers().to_vec();
        let element = device.element();
        let Some(Layer::Conv(first)) = layers.first() else {
            unreachable!("every network begins with conv1")
        };
        let canvas = Canvas::new(first.shape, device.input_channels());
        let input = device.buffer(element, capacity * canvas.len())?;
        let mut outputs = Vec::new();
        let mut winners = Vec::new();
        for layer in &layers {
            outputs.push(device.buffer(element, capacity * layer.output_len())?);
            winners.push(match layer {
                Layer::Pool(pool) => {
                    Some(device.buffer(Element::U8, capacity * pool.shape.output_len())?)
                }
                _ => None,
            });
        }
        let (free, _) = device.memory()?;
        let workspace = SEARCH_WORKSPACE.min(free / SEARCH_SHARE);
        Ok(Self {
            device: Rc::clone(device),
            classes: model.config().classes,
            capacity,
            canvas,
            input,
            outputs,
            layouts: layouts(&layers, BOUND / element.bytes()),
            winners,
            weights: weights::upload(device, model)?,
            workspace: device.buffer(Element::U8, workspace)?,
            is_workspace_final: false,
            plans: Plans::new(),
            scratch: device.buffer(Element::F32, scratch_len(&layers, capacity))?,
            training: None,
            frozen: false,
            timing: None,
            layers,
        })
    }

    /// Turns the backward pass of the convolutions off, so that their gradients stay 0, or on again.
    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), CudaError> {
        self.frozen = frozen;
        self.clear_gradients()
    }

    /// Fills the gradients with 0.
    fn clear_gradients(&mut self) -> Result<(), CudaError> {
        self.weights.iter_mut().try_for_each(Weight::clear_gradient)
    }

    /// Replaces both passes over a batch that has no rows for this GPU: the gradient is 0.
    pub(crate) fn skip_batch(&mut self, accumulated: bool) -> Result<(), CudaError> {
        self.clear_gradients()?;
        let mut layers = (0..self.layers.len()).rev();
        layers.try_for_each(|index| self.begin_reduction(index, accumulated))
    }

    /// Bytes of GPU memory.
    pub(crate) fn bytes(&self) -> usize {
        let training = self.training.iter().flat_map(|t| [&t.current, &t.next]);
        let buffers = [&self.input, &self.workspace, &self.scratch]
            .into_iter()
            .chain(&self.outputs)
            .chain(self.winners.iter().flatten())
            .chain(training);
        let weights = self.weights.iter().map(Weight::bytes);
        buffers.map(Buffer::bytes).sum::<usize>() + weights.sum::<usize>()
    }

    /// The logits of the last forward pass of `rows` images.
    pub(crate) fn logits(&self, rows: usize) -> View<'_> {
        let logits = self
            .outputs
            .last()
            .expect("the last layer is never left out");
        logits.view().head(rows * self.classes)
    }

    /// The parameters, which every update changes in place: the tensors share their memory.
    pub(crate) fn parameters(&self) -> Vec<Tensor> {
        let masters = self.weights.iter().map(|weight| weight.master.tensor());
        masters.cloned().collect()
    }

    /// Replaces the values of parameter `number` by those of a contiguous f32 tensor of as many on this GPU.
    pub(crate) fn set_values(&mut self, number: usize, tensor: &Tensor) -> Result<(), CudaError> {
        let weight = &mut self.weights[number];
        let (values, master) = (tensor_view(tensor), weight.master.view_mut());
        // A parameter that was changed in place may be set to itself, for the sake of its copy.
        if values.pointer != master.pointer {
            copy(&self.device.stream, values, master)?;
        }
        weight.refresh(&self.device)
    }

    /// The values of parameter `number`, after all queued work.
    pub(crate) fn read_values(&self, number: usize) -> Result<Vec<f32>, CudaError> {
        self.device.synchronize()?;
        self.weights[number].master.read()
    }

    /// The velocity of parameter `number`, after all queued work; none until training begins.
    pub(crate) fn read_velocity(&self, number: usize) -> Result<Option<Vec<f32>>, CudaError> {
        self.device.synchronize()?;
        let state = self.weights[number].training.as_ref();
        let velocity = state.map(|state| state.velocity.read(state.velocity.len()));
        velocity.transpose()
    }

    /// The gradient of parameter `number` of the last backward pass, in f32.
    pub(crate) fn read_gradient(&self, number: usize) -> Result<Vec<f32>, CudaError> {
        self.device.synchronize()?;
        let weight = &self.weights[number];
        let state = weight.training.as_ref().expect("training has begun");
        let len = weight.master.len();
        match state.gradient.view().element {
            Element::Bf16 => {
                let mut wide = self.device.buffer(Element::F32, len)?;
                kernels::cast(&self.device, state.gradient.view(), wide.view_mut())?;
                wide.read(len)
            }
            _ => state.gradient.read(len),
        }
    }

    /// In how many tensors the input and the output of layer `index` lie.
    fn columns(&self, index: usize) -> [usize; 2] {
        let before = index.checked_sub(1).map(|before| self.layouts[before]);
        [before.unwrap_or(Layout::Joined), self.layouts[index]].map(Layout::columns)
    }

    /// The number of the first parameter of layer `index`.
    fn parameter(&self, index: usize) -> usize {
        parameter(&self.layers, index)
    }

    /// Allocates what training needs, with the velocities in the order of the parameters; once.
    pub(crate) fn begin_training(&mut self, velocities: &[&[f32]]) -> Result<(), CudaError> {
        if self.training.is_some() {
            return Ok(());
        }
        let element = self.device.element();
        let widest = self.layers.iter().map(Layer::output_len).max().unwrap_or(0);
        for index in 0..self.layers.len() {
            // cuDNN writes the gradient in the type of the activations, cuBLAS in f32.
            let kind = match self.layers[index] {
                Layer::Conv(_) => element,
                Layer::Linear(_) => Element::F32,
                _ => continue,
            };
            let number = self.parameter(index);
            let device = &self.device;
            self.weights[number].begin(device, velocities[number], kind)?;
            self.weights[number + 1].begin(device, velocities[number + 1], Element::F32)?;
        }
        self.training = Some(Training {
            current: self.device.buffer(element, self.capacity * widest)?,
            next: self.device.buffer(element, self.capacity * widest)?,
            table: SgdTable::new(&self.device, self.weights.len())?,
        });
        Ok(())
    }
}

/// The number of the first parameter of layer `index`: two for each layer with parameters before it.
fn parameter(layers: &[Layer], index: usize) -> usize {
    let before = layers[..index].iter();
    2 * before.filter(|layer| layer.has_parameters()).count()
}

/// Scratch values that the largest layer needs.
fn scratch_len(layers: &[Layer], capacity: usize) -> usize {
    let of_layer = |layer: &Layer| match layer {
        Layer::Conv(conv) => {
            let s = &conv.shape;
            kernels::bias_scratch(capacity * s.output_pixels(), s.outputs)
        }
        Layer::Linear(linear) => kernels::bias_scratch(capacity, linear.outputs),
        Layer::Lrn(_) | Layer::MapNorm(_) | Layer::Pool(_) | Layer::Dropout(_) => 0,
    };
    let layers = layers.iter().map(of_layer).max().unwrap_or(0);
    layers.max(kernels::loss_scratch(capacity))
}
