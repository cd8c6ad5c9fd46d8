//! A whole network on a card: forward pass, loss, backward pass and update, over memory that is made
//! at the first step and stays.

mod backward;
mod forward;
#[cfg(feature = "nccl")]
mod reduce;
mod update;
pub(crate) mod weights;

use std::collections::HashMap;
use std::rc::Rc;

use crate::cuda::conv::{BackwardTrial, Geometry, Plan, Trial};
use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Buffer, Element, View};
use crate::cuda::kernels::{Canvas, SgdTable};
use crate::cuda::network::weights::Weight;
use crate::net::Model;
use crate::net::config::Activation;
use crate::net::layer::{ConvLayer, Layer};

/// Bytes of workspace that algorithms of the first shape may ask for, where so much is free.
const SEARCH_WORKSPACE: usize = 1 << 30;

/// The share of the free memory that the search for algorithms may take.
const SEARCH_SHARE: usize = 4;

/// The plans of the convolutions by layer, number of rows, and whether they have a backward pass.
type Plans = HashMap<(usize, usize, bool), Plan>;

/// A network on a card, for batches of at most `capacity` images.
pub(crate) struct Network {
    gpu: Rc<Gpu>,
    layers: Vec<Layer>,
    classes: usize,
    capacity: usize,
    canvas: Canvas,
    /// The images as conv1 takes them.
    input: Buffer,
    /// The output of each layer.
    outputs: Vec<Buffer>,
    /// For each pool, where the largest values stood.
    winners: Vec<Option<Buffer>>,
    weights: Vec<Weight>,
    workspace: Buffer,
    /// Whether the workspace has its size.
    settled: bool,
    plans: Plans,
    /// Partial sums of bias gradients, of losses, and of norms.
    scratch: Buffer,
    training: Option<Training>,
    frozen: bool,
}

/// What only training needs.
struct Training {
    /// The gradient of the output of the layer at hand, and that of its input.
    current: Buffer,
    next: Buffer,
    table: SgdTable,
}

impl Network {
    /// The network of `model` with its parameters.
    ///
    /// # Errors
    /// Too little memory.
    pub(crate) fn new(gpu: &Rc<Gpu>, model: &Model, capacity: usize) -> Result<Self, CudaError> {
        let layers = model.layers().to_vec();
        let element = gpu.element();
        let Some(Layer::Conv(first)) = layers.first() else {
            unreachable!("every network begins with conv1")
        };
        let canvas = Canvas {
            height: first.shape.height,
            width: first.shape.width,
            before: first.shape.before,
            after: first.shape.after,
            channels: weights::input_channels(gpu.precision),
        };
        let input = gpu.buffer(element, capacity * canvas.len())?;
        let mut outputs = Vec::new();
        let mut winners = Vec::new();
        for layer in &layers {
            outputs.push(gpu.buffer(element, capacity * layer.output_len())?);
            winners.push(match layer {
                Layer::Pool(pool) => {
                    Some(gpu.buffer(Element::U8, capacity * pool.shape.output_len())?)
                }
                _ => None,
            });
        }
        let (free, _) = gpu.memory()?;
        let workspace = SEARCH_WORKSPACE.min(free / SEARCH_SHARE);
        Ok(Self {
            gpu: Rc::clone(gpu),
            classes: model.config().classes,
            capacity,
            canvas,
            input,
            outputs,
            winners,
            weights: weights::upload(gpu, model)?,
            workspace: gpu.buffer(Element::U8, workspace)?,
            settled: false,
            plans: HashMap::new(),
            scratch: gpu.buffer(Element::F32, scratch_len(gpu, &layers, capacity))?,
            training: None,
            frozen: false,
            layers,
        })
    }

    /// Images of a batch, at most.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Leaves out the backward pass of the convolutions, whose gradients then stay 0, or takes it up
    /// again.
    ///
    /// # Errors
    /// What the card reports.
    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), CudaError> {
        self.frozen = frozen;
        self.clear_gradients()
    }

    /// Fills the gradients with 0.
    fn clear_gradients(&mut self) -> Result<(), CudaError> {
        self.weights.iter_mut().try_for_each(Weight::clear_gradient)
    }

    /// In place of both passes over a batch that has no row for this card: the gradient is 0.
    ///
    /// # Errors
    /// What the card reports, or that another card has failed.
    pub(crate) fn pass_nothing(&mut self, accumulated: bool) -> Result<(), CudaError> {
        self.clear_gradients()?;
        #[cfg(feature = "nccl")]
        for index in (0..self.layers.len()).rev() {
            self.reduce_early(index, accumulated)?;
        }
        #[cfg(not(feature = "nccl"))]
        let _ = accumulated;
        Ok(())
    }

    /// Bytes of all that the network holds on the card.
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
        let logits = self.outputs.last().expect("fc8 is never left out");
        logits.view().head(rows * self.classes)
    }

    /// The values of parameter `number`.
    pub(crate) fn read_parameter(
        &self,
        number: usize,
        values: &mut [f32],
    ) -> Result<(), CudaError> {
        self.weights[number].master.read_into(values)
    }

    /// The velocity of parameter `number`, if training has begun.
    pub(crate) fn read_velocity(
        &self,
        number: usize,
        values: &mut [f32],
    ) -> Result<bool, CudaError> {
        match &self.weights[number].training {
            None => Ok(false),
            Some(moving) => moving.velocity.read_into(values).map(|()| true),
        }
    }

    /// The gradient of parameter `number` of the last backward pass, in f32.
    pub(crate) fn read_gradient(&self, number: usize) -> Result<Vec<f32>, CudaError> {
        let weight = &self.weights[number];
        let moving = weight.training.as_ref().expect("training has begun");
        let len = weight.master.len();
        match moving.gradient.view().element {
            Element::Bf16 => {
                let mut wide = self.gpu.buffer(Element::F32, len)?;
                self.gpu.cast(moving.gradient.view(), wide.view_mut())?;
                wide.read(len)
            }
            _ => moving.gradient.read(len),
        }
    }

    /// The number of the first parameter of layer `index`.
    fn parameter(&self, index: usize) -> usize {
        parameter(&self.layers, index)
    }

    /// Makes sure that every convolution has a plan for `rows` rows, with its backward pass if it is
    /// `training`. A search writes to what it tries: frozen layers have none, so that their gradients
    /// stay 0.
    fn plan(&mut self, rows: usize, training: bool) -> Result<(), CudaError> {
        let backward = training && !self.frozen;
        for index in 0..self.layers.len() {
            let planned = |backward| self.plans.contains_key(&(index, rows, backward));
            let is_conv = matches!(self.layers[index], Layer::Conv(_));
            if is_conv && !planned(true) && (backward || !planned(false)) {
                // cuDNN waits while it tries algorithms.
                self.gpu.settle()?;
                let plan = self.make_plan(index, rows, backward)?;
                self.plans.insert((index, rows, backward), plan);
            }
        }
        if !self.settled && training {
            // The search had room to try things in; what is kept is the largest that was chosen.
            let len = self.plans.values().map(Plan::workspace).max().unwrap_or(0);
            self.workspace = self.gpu.buffer(Element::U8, 0)?;
            self.workspace = self.gpu.buffer(Element::U8, len.max(1))?;
            self.settled = true;
        }
        Ok(())
    }

    fn make_plan(&mut self, index: usize, rows: usize, backward: bool) -> Result<Plan, CudaError> {
        let Layer::Conv(conv) = &self.layers[index] else {
            unreachable!("asked for convolutions alone")
        };
        let geometry = self.geometry(conv, index, rows);
        let number = self.parameter(index);
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = before.last().unwrap_or(&self.input);
        let (own, bias) = self.weights[number..].split_at_mut(1);
        let (own, bias) = (&mut own[0], &bias[0]);
        // The copy of the weights and the memory of their gradient are of one parameter.
        let weight = own.copy.as_ref().unwrap_or(&own.master).view();
        let backward = match (&mut self.training, &mut own.training) {
            (Some(training), Some(moving)) if backward => Some(BackwardTrial {
                output_gradient: training.current.view().head(geometry.output_len()),
                input_gradient: (index > 0)
                    .then(|| training.next.view_mut().head(geometry.input_len())),
                weight_gradient: moving
                    .padded
                    .as_mut()
                    .unwrap_or(&mut moving.gradient)
                    .view_mut(),
            }),
            _ => None,
        };
        let trial = Trial {
            input: input.view().head(geometry.input_len()),
            weight,
            bias: (conv.activation == Some(Activation::Relu)).then(|| bias.compute()),
            output: rest[0].view_mut().head(geometry.output_len()),
            backward,
        };
        Plan::new(&self.gpu, geometry, trial, &mut self.workspace)
    }

    /// A convolution as cuDNN does it: conv1's padding is part of its input already.
    fn geometry(&self, conv: &ConvLayer, index: usize, rows: usize) -> Geometry {
        let s = &conv.shape;
        let (height, width, inputs, padding) = if index == 0 {
            let (height, width) = self.canvas.padded();
            (height, width, self.canvas.channels, 0)
        } else {
            assert_eq!(s.before, s.after, "the same padding on both sides");
            (s.height, s.width, s.inputs, s.before)
        };
        Geometry {
            rows,
            height,
            width,
            inputs,
            outputs: s.outputs,
            kernel: s.kernel,
            stride: s.stride,
            padding,
            groups: s.groups,
        }
    }

    /// Begins training, with the velocities in the order of the parameters.
    ///
    /// # Errors
    /// Too little memory.
    pub(crate) fn begin_training(&mut self, velocities: &[&[f32]]) -> Result<(), CudaError> {
        if self.training.is_some() {
            return Ok(());
        }
        let element = self.gpu.element();
        let widest = self.layers.iter().map(Layer::output_len).max().unwrap_or(0);
        for index in 0..self.layers.len() {
            // cuDNN writes the gradient in the type of the activations, cuBLAS in f32.
            let kind = match self.layers[index] {
                Layer::Conv(_) => element,
                Layer::Linear(_) => Element::F32,
                _ => continue,
            };
            let number = self.parameter(index);
            let gpu = &self.gpu;
            self.weights[number].begin(gpu, velocities[number], kind)?;
            self.weights[number + 1].begin(gpu, velocities[number + 1], Element::F32)?;
        }
        self.training = Some(Training {
            current: self.gpu.buffer(element, self.capacity * widest)?,
            next: self.gpu.buffer(element, self.capacity * widest)?,
            table: SgdTable::new(&self.gpu, &self.weights)?,
        });
        Ok(())
    }
}

/// The plan of a convolution for a forward pass: the one with a backward pass where there is one.
fn planned(plans: &Plans, index: usize, rows: usize) -> &Plan {
    let both = plans.get(&(index, rows, true));
    both.unwrap_or_else(|| &plans[&(index, rows, false)])
}

/// The number of the first parameter of layer `index`: two for each layer with parameters before it.
fn parameter(layers: &[Layer], index: usize) -> usize {
    let before = layers[..index].iter();
    2 * before
        .filter(|l| matches!(l, Layer::Conv(_) | Layer::Linear(_)))
        .count()
}

/// Values of scratch that the largest layer needs.
fn scratch_len(gpu: &Gpu, layers: &[Layer], capacity: usize) -> usize {
    let of_layer = |layer: &Layer| match layer {
        Layer::Conv(conv) => {
            let s = &conv.shape;
            gpu.bias_scratch(capacity * s.output_pixels(), s.outputs)
        }
        Layer::Linear(linear) => gpu.bias_scratch(capacity, linear.outputs),
        Layer::Lrn(_) | Layer::MapNorm(_) | Layer::Pool(_) | Layer::Dropout(_) => 0,
    };
    let layers = layers.iter().map(of_layer).max().unwrap_or(0);
    layers.max(gpu.score_scratch(capacity))
}
