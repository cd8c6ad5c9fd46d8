//! A training step and the logits: the two parts of the network put together over reused buffers.

use std::ops::Deref;

use candle_core::{Device, Tensor};

use crate::cpu::chunk::FeatureChunk;
use crate::cpu::classifier::Classifier;
use crate::cpu::features::{self, CHUNK};
use crate::cpu::ops::cross_entropy;
use crate::cpu::ops::winograd::Weights;
use crate::cpu::scratch::ScratchPool;
use crate::net::layer::Layer;
use crate::net::{DropoutKey, Masks, Model, ModelError, Parameter, Part, StepOutput};

/// Images that go through the network at once while evaluating.
const EVALUATION_ROWS: usize = 128;

/// Everything a pass writes to, made at the first pass of its kind and kept.
#[derive(Default)]
pub(crate) struct Buffers {
    scratch: ScratchPool,
    weights: Vec<Weights>,
    training: Vec<FeatureChunk>,
    evaluation: Vec<FeatureChunk>,
    classifier: Option<Classifier>,
}

impl Buffers {
    /// Makes room for `rows` rows.
    fn prepare(&mut self, layers: (&[Layer], &[Layer]), rows: usize, training: bool) {
        let chunks = if training {
            &mut self.training
        } else {
            &mut self.evaluation
        };
        while chunks.len() * CHUNK < rows {
            chunks.push(FeatureChunk::new(layers.0, training));
        }
        let fits = self
            .classifier
            .as_ref()
            .is_some_and(|c| c.fits(rows, training));
        if !fits {
            let features = layers.0.last().map_or(0, Layer::output_len);
            self.classifier = None;
            self.classifier = Some(Classifier::new(layers.1, features, rows, training));
        }
    }
}

impl Model {
    /// Layers up to the last pool, and those after it.
    fn layer_parts(&self) -> (&[Layer], &[Layer]) {
        let later = |l: &Layer| matches!(l, Layer::Dropout(_) | Layer::Linear(_));
        let first = self
            .layers()
            .iter()
            .position(later)
            .unwrap_or(self.layers().len());
        self.layers().split_at(first)
    }

    /// Lends `work` the layers of both parts with their parameters' values.
    fn with_parts<R>(&self, work: impl FnOnce(Part, Part) -> R) -> R {
        let guards: Vec<_> = self.parameters().iter().map(Parameter::values).collect();
        let values: Vec<&[f32]> = guards.iter().map(Deref::deref).collect();
        let (features, rest) = self.layer_parts();
        let convolutions = features
            .iter()
            .filter(|l| matches!(l, Layer::Conv(_)))
            .count();
        let (feature_values, rest_values) = values.split_at(2 * convolutions);
        work(
            Part {
                layers: features,
                parameters: feature_values,
            },
            Part {
                layers: rest,
                parameters: rest_values,
            },
        )
    }

    /// Bytes that the buffers of training steps of `rows` images take on `threads` threads.
    pub(crate) fn buffer_bytes(&self, rows: usize, threads: usize) -> usize {
        let (first, rest) = self.layer_parts();
        let features = first.last().map_or(0, Layer::output_len);
        features::bytes(first, rows, threads) + Classifier::bytes(rest, features, rows)
    }

    fn check_images(&self, images: &[f32], rows: usize) -> Result<usize, ModelError> {
        let len = self.config().input_size * self.config().input_size * 3;
        if images.len() == rows * len && rows > 0 {
            return Ok(len);
        }
        Err(ModelError::ImageLength {
            found: images.len(),
            expected: rows * len,
            rows,
        })
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
        self.train_step_with(images, labels, Masks::Drawn(key))
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
        let rows = labels.len();
        self.check_images(images, rows)?;
        self.check_labels(labels)?;
        let classes = self.config().classes;
        let mut buffers = std::mem::take(&mut self.buffers);
        let mut gradients = std::mem::take(&mut self.gradients);
        buffers.prepare(self.layer_parts(), rows, true);
        let frozen = self.features_frozen;
        let scores = self.with_parts(|features, rest| {
            let (feature_gradients, rest_gradients) =
                gradients.split_at_mut(features.parameters.len());
            let Buffers {
                scratch,
                weights,
                training,
                classifier,
                ..
            } = &mut buffers;
            let chunks = &mut training[..rows.div_ceil(CHUNK)];
            let classifier = classifier.as_mut().expect("prepared above");
            features::transform(features, weights);
            features::forward(
                features,
                weights,
                scratch,
                chunks,
                images,
                &mut classifier.features,
            );
            classifier.forward(rest, Some(masks));
            let (logits, gradient) = classifier.logits_and_gradient();
            let scores = cross_entropy::score(logits, classes, labels, gradient);
            classifier.backward(rest, masks, rest_gradients);
            if frozen {
                return scores;
            }
            let gradient = classifier.features_gradient();
            features::backward(
                features,
                weights,
                scratch,
                chunks,
                images,
                gradient,
                feature_gradients,
            );
            scores
        });
        self.buffers = buffers;
        self.gradients = gradients;
        Ok(StepOutput {
            loss: scores.loss / rows as f64,
            top1: scores.top1,
            top5: scores.top5,
        })
    }

    /// Logits `[rows, classes]` of NHWC images, without dropout. Images go through in groups of
    /// fixed size, so memory does not grow with their number.
    ///
    /// # Errors
    /// Images that do not fill whole rows.
    pub fn logits(&mut self, images: &[f32]) -> Result<Tensor, ModelError> {
        let rows = images.len() / (self.config().input_size * self.config().input_size * 3);
        let image_len = self.check_images(images, rows)?;
        let mut logits = Vec::with_capacity(rows * self.config().classes);
        for group in images.chunks(EVALUATION_ROWS * image_len) {
            self.logits_of_group(group, group.len() / image_len, &mut logits);
        }
        Ok(Tensor::from_vec(
            logits,
            (rows, self.config().classes),
            &Device::Cpu,
        )?)
    }

    fn logits_of_group(&mut self, images: &[f32], rows: usize, logits: &mut Vec<f32>) {
        let mut buffers = std::mem::take(&mut self.buffers);
        buffers.prepare(self.layer_parts(), rows, false);
        self.with_parts(|features, rest| {
            let Buffers {
                scratch,
                weights,
                evaluation,
                classifier,
                ..
            } = &mut buffers;
            let classifier = classifier.as_mut().expect("prepared above");
            features::transform(features, weights);
            features::forward(
                features,
                weights,
                scratch,
                evaluation,
                images,
                &mut classifier.features,
            );
            classifier.forward(rest, None);
            logits.extend_from_slice(classifier.logits());
        });
        self.buffers = buffers;
    }
}
