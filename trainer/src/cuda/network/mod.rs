//! A whole network on a GPU: forward pass, loss, backward pass and update, in memory that is allocated
//! by the end of the first step and stays.

mod backward;
mod forward;
mod reduce;
mod update;
mod weights;

use std::collections::HashMap;
use std::rc::Rc;

use crate::cuda::conv::{Backward, Forward, Geometry, Plan};
use crate::cuda::device::{Buffer, CudaError, Device, Element, View};
use crate::cuda::kernels::{self, Canvas, Channels, SgdTable};
use crate::net::config::Activation;
use crate::net::layer::Layer;
use crate::net::{DropoutKey, MaskKey, Model};

pub(crate) use weights::input_channels;

/// Bytes of workspace for the search for algorithms, if so much is free.
const SEARCH_WORKSPACE: usize = 1 << 30;

/// The search takes at most one part in so many of the free memory.
const SEARCH_SHARE: usize = 4;

/// The plans of the convolutions by layer, number of rows, and whether they have a backward pass.
type Plans = HashMap<(usize, usize, bool), Plan>;

/// The dropout of the images of a batch from number `first` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchDropout {
    pub(crate) key: DropoutKey,
    pub(crate) first: usize,
}

impl BatchDropout {
    /// The mask of layer `index`, and its first value for these images.
    fn mask(self, layers: &[Layer], index: usize) -> (MaskKey, usize) {
        let is_dropout = |layer: &&Layer| matches!(layer, Layer::Dropout(_));
        let number = layers[..index].iter().filter(is_dropout).count();
        let first = self.first * layers[index].output_len();
        (self.key.mask(number as u32), first)
    }
}

/// A parameter in host memory; without a velocity until training begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ParameterCopy {
    pub(crate) values: Vec<f32>,
    pub(crate) velocity: Option<Vec<f32>>,
}

/// One parameter in GPU memory.
struct Weight {
    /// The f32 values, as in a checkpoint.
    master: Buffer,
    /// What the passes read instead of the f32 values, if anything: bf16, or with added channels.
    copy: Option<Buffer>,
    /// For conv1, which is computed with added channels.
    channels: Option<Channels>,
    /// `None` until training begins.
    training: Option<OptimizerState>,
}

/// What the optimizer needs of a parameter.
struct OptimizerState {
    velocity: Buffer,
    /// As many values as the parameter.
    gradient: Buffer,
    /// The gradient with the added channels, as cuDNN writes it.
    padded: Option<Buffer>,
    /// The sum over a step's batches, or over several GPUs, in f32; `None` until it is needed.
    sum: Option<Buffer>,
}

/// A network on a GPU, for batches of at most `capacity` images.
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
    ///
    /// # Errors
    /// Too little memory.
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
        let canvas = Canvas::new(first.shape, input_channels(device.precision));
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
            winners,
            weights: weights::upload(device, model)?,
            workspace: device.buffer(Element::U8, workspace)?,
            is_workspace_final: false,
            plans: HashMap::new(),
            scratch: device.buffer(Element::F32, scratch_len(&layers, capacity))?,
            training: None,
            frozen: false,
            layers,
        })
    }

    /// Turns the backward pass of the convolutions off, so that their gradients stay 0, or on again.
    ///
    /// # Errors
    /// An error of the driver.
    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), CudaError> {
        self.frozen = frozen;
        self.clear_gradients()
    }

    /// Fills the gradients with 0.
    fn clear_gradients(&mut self) -> Result<(), CudaError> {
        self.weights.iter_mut().try_for_each(Weight::clear_gradient)
    }

    /// Replaces both passes over a batch that has no rows for this GPU: the gradient is 0.
    ///
    /// # Errors
    /// An error of the driver or of NCCL, or another GPU has failed.
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
        let logits = self.outputs.last().expect("fc8 is never left out");
        logits.view().head(rows * self.classes)
    }

    /// Parameter `number`, after all queued work.
    pub(crate) fn read_parameter(&self, number: usize) -> Result<ParameterCopy, CudaError> {
        self.device.synchronize()?;
        let weight = &self.weights[number];
        let velocity = weight.training.as_ref().map(|state| &state.velocity);
        let velocity = velocity.map(|velocity| velocity.read(velocity.len()));
        Ok(ParameterCopy {
            values: weight.master.read(weight.master.len())?,
            velocity: velocity.transpose()?,
        })
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

    /// The number of the first parameter of layer `index`.
    fn parameter(&self, index: usize) -> usize {
        parameter(&self.layers, index)
    }

    /// Makes sure that every convolution has a plan for `rows` rows, with its backward pass if it is
    /// `training`. A search overwrites gradients: frozen layers are planned without backward passes, so
    /// that their gradients stay 0.
    fn plan(&mut self, rows: usize, training: bool) -> Result<(), CudaError> {
        let backward = training && !self.frozen;
        for index in 0..self.layers.len() {
            let planned = |backward| self.plans.contains_key(&(index, rows, backward));
            let is_conv = matches!(self.layers[index], Layer::Conv(_));
            if is_conv && !planned(true) && (backward || !planned(false)) {
                // cuDNN waits for the device while it tries algorithms.
                self.device.synchronize()?;
                let plan = self.make_plan(index, rows, backward)?;
                self.plans.insert((index, rows, backward), plan);
            }
        }
        if !self.is_workspace_final && training {
            // The search needed room for its trials; the chosen algorithms need less.
            let len = self.plans.values().map(Plan::workspace).max().unwrap_or(0);
            self.workspace = self.device.buffer(Element::U8, 0)?;
            self.workspace = self.device.buffer(Element::U8, len.max(1))?;
            self.is_workspace_final = true;
        }
        Ok(())
    }

    fn make_plan(&mut self, index: usize, rows: usize, backward: bool) -> Result<Plan, CudaError> {
        let Layer::Conv(conv) = &self.layers[index] else {
            unreachable!("only convolutions are planned")
        };
        // conv1's padding is part of its input.
        let shape = if index == 0 {
            self.canvas.conv_shape()
        } else {
            conv.shape
        };
        let geometry = Geometry::new(rows, shape);
        let number = self.parameter(index);
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = before.last().unwrap_or(&self.input);
        let (own, bias) = self.weights[number..].split_at_mut(1);
        let (own, bias) = (&mut own[0], &bias[0]);
        // Copy and gradient are borrowed from one parameter.
        let weight = own.copy.as_ref().unwrap_or(&own.master).view();
        let backward = match (&mut self.training, &mut own.training) {
            (Some(training), Some(state)) if backward => Some(Backward {
                output_gradient: training.current.view().head(geometry.output_len()),
                input_gradient: (index > 0)
                    .then(|| training.next.view_mut().head(geometry.input_len())),
                weight_gradient: state
                    .padded
                    .as_mut()
                    .unwrap_or(&mut state.gradient)
                    .view_mut(),
            }),
            _ => None,
        };
        let forward = Forward {
            input: input.view().head(geometry.input_len()),
            weight,
            bias: (conv.activation == Some(Activation::Relu)).then(|| bias.compute()),
            output: rest[0].view_mut().head(geometry.output_len()),
        };
        Plan::new(
            &self.device,
            geometry,
            forward,
            backward,
            &mut self.workspace,
        )
    }

    /// Allocates what training needs, with the velocities in the order of the parameters; once.
    ///
    /// # Errors
    /// Too little memory.
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

/// The plan of a convolution for a forward pass: preferably the one that has backward passes too.
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
