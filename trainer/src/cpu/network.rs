//! A network on the CPU: a training step, its update, and the logits, over buffers that are kept between
//! passes.

use std::ops::Deref;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::cpu::Part;
use crate::cpu::classifier::Classifier;
use crate::cpu::features::{Features, Keep};
use crate::net::layer::Layer;
use crate::net::sgd::{Rate, Sgd};
use crate::net::{DropoutKey, Masks, Model, ModelError, Parameter, StepOutput};

/// Images that go through the network at once while evaluating.
const EVALUATION_ROWS: usize = 128;

/// Values updated by one task: large enough to hide its cost, small enough to spread.
const UPDATE_CHUNK: usize = 1 << 16;

/// A model with its gradients and everything that its passes write to.
pub struct Network {
    model: Model,
    gradients: Vec<Vec<f32>>,
    features: Features,
    classifier: Classifier,
    features_frozen: bool,
}

impl Network {
    /// A network that has made no pass yet.
    #[must_use]
    pub fn new(model: Model) -> Self {
        let parameters = model.parameters().iter();
        Self {
            gradients: parameters.map(|p| vec![0.0; p.len()]).collect(),
            model,
            features: Features::default(),
            classifier: Classifier::default(),
            features_frozen: false,
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model, to replace its parameters.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// The gradients of the last step's mean loss, in the order of the model's parameters.
    #[must_use]
    pub fn gradients(&self) -> &[Vec<f32>] {
        &self.gradients
    }

    /// The gradients, to replace them by others of the same lengths.
    pub(crate) fn gradients_mut(&mut self) -> &mut Vec<Vec<f32>> {
        &mut self.gradients
    }

    /// Turns the backward pass of the convolutions off or on; while it is off, their gradients are 0.
    pub(crate) fn freeze_features(&mut self, frozen: bool) {
        self.features_frozen = frozen;
        self.gradients
            .iter_mut()
            .for_each(|gradient| gradient.fill(0.0));
    }

    /// Bytes that the buffers of training steps of `rows` images take on `threads` threads.
    pub(crate) fn buffer_bytes(model: &Model, rows: usize, threads: usize) -> usize {
        let (convolutional, dense) = model.layers().split_at(features_end(model));
        let inputs = convolutional.last().map_or(0, Layer::output_len);
        Features::bytes(convolutional, rows, threads) + Classifier::bytes(dense, inputs, rows)
    }

    /// One step's loss and gradients: forward with dropout, and backward into
    /// [`gradients`](Self::gradients). Parameters stay as they are.
    ///
    /// `images` holds `labels.len()` images, NHWC, of the configured input size.
    ///
    /// # Errors
    /// Images that do not match the labels in number, or a label out of range.
    pub fn train_step(
        &mut self,
        images: &[f32],
        labels: &[i64],
        key: DropoutKey,
    ) -> Result<StepOutput, ModelError> {
        self.train_step_with(images, labels, Masks::Drawn { key, first: 0 })
    }

    /// [`train_step`](Self::train_step) with the dropout masks given, to compare with another
    /// implementation.
    ///
    /// # Errors
    /// As [`train_step`](Self::train_step).
    ///
    /// # Panics
    /// If a mask is missing or of another length than its layer's values.
    pub fn train_step_with(
        &mut self,
        images: &[f32],
        labels: &[i64],
        masks: Masks,
    ) -> Result<StepOutput, ModelError> {
        let Self {
            model,
            gradients,
            features,
            classifier,
            features_frozen,
        } = self;
        let rows = labels.len();
        check_images(model, images, rows)?;
        model.check_labels(labels)?;
        let scores = with_parts(model, |convolutional, dense| {
            classifier.prepare(dense.layers, convolutional.output_len(), rows, true);
            let (feature_gradients, dense_gradients) =
                gradients.split_at_mut(convolutional.parameters.len());
            features.forward(
                convolutional,
                images,
                Keep::Backward,
                classifier.inputs_mut(),
            );
            let scores = classifier.train(dense, masks, labels, dense_gradients);
            if !*features_frozen {
                let gradient = classifier.inputs_gradient();
                features.backward(convolutional, images, gradient, feature_gradients);
            }
            scores
        });
        Ok(StepOutput {
            loss: scores.loss / rows as f64,
            top1: scores.top1,
            top5: scores.top5,
        })
    }

    /// Moves the parameters along the last step's gradients, in their order, each at its own rate, in one
    /// pass over its values; those without a rate stay as they are.
    ///
    /// # Errors
    /// What candle reports.
    pub fn update(
        &mut self,
        sgd: &mut Sgd,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), ModelError> {
        let momentum = sgd.config().momentum;
        let pairs = self.model.parameters().iter().zip(&self.gradients);
        for (number, (parameter, gradient)) in pairs.enumerate() {
            let Some(Rate { lr, decay }) = rate(parameter) else {
                continue;
            };
            let velocity = sgd.velocity_mut(number);
            let decay = decay * lr;
            parameter.update(|weights| {
                weights
                    .par_chunks_mut(UPDATE_CHUNK)
                    .zip(velocity.par_chunks_mut(UPDATE_CHUNK))
                    .zip(gradient.par_chunks(UPDATE_CHUNK))
                    .for_each(|((weights, velocity), gradient)| {
                        for ((w, v), g) in weights.iter_mut().zip(velocity).zip(gradient) {
                            *v = momentum * *v - decay * *w - lr * g;
                            *w += *v;
                        }
                    });
            })?;
        }
        Ok(())
    }

    /// Scales down every kernel of a convolution whose root mean square is above `radius`, so that it is
    /// `radius`; layers without a rate stay as they are. Biases and velocities do in any case.
    ///
    /// # Errors
    /// What candle reports.
    pub fn limit_kernels(
        &mut self,
        radius: f64,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), ModelError> {
        for parameter in self.model.parameters() {
            let [_, height, width, inputs] = *parameter.tensor().dims() else {
                continue;
            };
            if rate(parameter).is_none() {
                continue;
            }
            parameter.update(|weights| {
                let kernels = weights.par_chunks_mut(height * width * inputs);
                kernels.for_each(|kernel| limit(kernel, radius));
            })?;
        }
        Ok(())
    }

    /// Logits `[rows, classes]` of NHWC images, without dropout. Images go through in groups of
    /// fixed size, so memory does not grow with their number.
    ///
    /// # Errors
    /// Images that do not fill whole rows.
    pub fn logits(&mut self, images: &[f32]) -> Result<Tensor, ModelError> {
        let Activations { logits, .. } = self.activations(images, &[])?;
        let classes = self.model.config().classes;
        let rows = logits.len() / classes;
        Ok(Tensor::from_vec(logits, (rows, classes), &Device::Cpu)?)
    }

    /// The outputs of some layers beside the logits, in one forward pass of NHWC images without dropout.
    /// `layers` holds numbers of [`Model::layers`]. Images go through in groups of fixed size, so that
    /// beside the result memory does not grow with their number. The logits are those of
    /// [`logits`](Self::logits), bit for bit.
    ///
    /// # Errors
    /// Images that do not fill whole rows.
    ///
    /// # Panics
    /// If there is no layer of such a number.
    pub fn activations(
        &mut self,
        images: &[f32],
        layers: &[usize],
    ) -> Result<Activations, ModelError> {
        let Self {
            model,
            features,
            classifier,
            ..
        } = self;
        let image_len = image_len(model);
        let rows = images.len() / image_len;
        check_images(model, images, rows)?;
        let end = features_end(model);
        let watched: Vec<usize> = layers.iter().copied().filter(|&l| l < end).collect();
        let len_of = |&layer: &usize| rows * model.layers()[layer].output_len();
        let mut found = Activations {
            logits: Vec::with_capacity(rows * model.config().classes),
            layers: layers
                .iter()
                .map(|layer| Vec::with_capacity(len_of(layer)))
                .collect(),
        };
        for images in images.chunks(EVALUATION_ROWS * image_len) {
            with_parts(model, |convolutional, dense| {
                let rows = images.len() / image_len;
                classifier.prepare(dense.layers, convolutional.output_len(), rows, false);
                let inputs = classifier.inputs_mut();
                features.forward(convolutional, images, Keep::Watched(&watched), inputs);
                found.logits.extend_from_slice(classifier.logits(dense));
                for (&layer, values) in layers.iter().zip(&mut found.layers) {
                    match layer.checked_sub(end) {
                        None => features.watched(layer, rows, values),
                        Some(index) => values.extend_from_slice(classifier.outputs_of(index)),
                    }
                }
            });
        }
        Ok(found)
    }
}

/// Scales values down to a root mean square of `radius` where theirs is larger.
fn limit(values: &mut [f32], radius: f64) {
    let squares: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
    let rms = (squares / values.len() as f64).sqrt();
    if rms > radius {
        let factor = radius / rms;
        let scale = |value: &mut f32| *value = (f64::from(*value) * factor) as f32;
        values.iter_mut().for_each(scale);
    }
}

/// What a forward pass gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activations {
    /// `[rows, classes]`.
    pub logits: Vec<f32>,
    /// The outputs of each layer that was asked for, after its activation, `[rows, len]`; those of a
    /// convolution or pool are `[rows, height, width, channels]`.
    pub layers: Vec<Vec<f32>>,
}

/// The number of layers up to the last pool.
fn features_end(model: &Model) -> usize {
    let is_dense = |layer: &Layer| matches!(layer, Layer::Dropout(_) | Layer::Linear(_));
    let first = model.layers().iter().position(is_dense);
    first.unwrap_or(model.layers().len())
}

/// Lends `work` the convolutional and the fully connected part.
fn with_parts<R>(model: &Model, work: impl FnOnce(Part, Part) -> R) -> R {
    let guards: Vec<_> = model.parameters().iter().map(Parameter::values).collect();
    let values: Vec<&[f32]> = guards.iter().map(Deref::deref).collect();
    let (convolutional, dense) = model.layers().split_at(features_end(model));
    let convolutions = convolutional.iter().filter(|layer| layer.has_parameters());
    let (convolutional_values, dense_values) = values.split_at(2 * convolutions.count());
    work(
        Part {
            layers: convolutional,
            parameters: convolutional_values,
        },
        Part {
            layers: dense,
            parameters: dense_values,
        },
    )
}

/// Values of one image.
fn image_len(model: &Model) -> usize {
    model.config().input_size.pow(2) * 3
}

fn check_images(model: &Model, images: &[f32], rows: usize) -> Result<(), ModelError> {
    let expected = rows * image_len(model);
    if images.len() == expected && rows > 0 {
        return Ok(());
    }
    Err(ModelError::ImageLength {
        found: images.len(),
        expected,
        rows,
    })
}

#[cfg(test)]
mod tests;
