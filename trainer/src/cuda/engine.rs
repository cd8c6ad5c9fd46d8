//! Training steps on a card, behind the interface that those on the CPU have.
//!
//! No call waits for the card but [`take`](CudaEngine::take), [`logits`](CudaEngine::logits) and
//! [`host`](CudaEngine::host): a step's scores stay on the card, each in a place of its own, until
//! somebody asks for them.

use std::rc::Rc;

use shardmill_loader::{Batch, Normalize};

use super::error::CudaError;
use super::feed::{Feed, Pixels, Staged};
use super::gpu::Gpu;
use super::kernels::Affine;
use super::memory::{Buffer, Element};
use super::network::Network;
use crate::compute::CudaOptions;
use crate::engine::Seen;
use crate::error::TrainError;
use crate::model::{DropoutKey, Model, ModelError, Parameter, StepOutput};
use crate::sgd::{Rate, Sgd};

/// Steps whose scores the card keeps until they must be taken.
const STEPS: usize = 256;

/// Numbers of a step: the sum of the losses, top-1 and top-5 hits, and the square of the gradient's
/// length.
const NUMBERS: usize = 4;

/// The least number of images that a network has room for: ten views of one image.
const LEAST_ROWS: usize = 32;

/// A network and its optimiser on a card.
pub(crate) struct CudaEngine {
    model: Model,
    sgd: Sgd,
    gpu: Rc<Gpu>,
    network: Network,
    feed: Feed,
    affine: Affine,
    scores: Buffer,
    /// The logits of an evaluation, in f32.
    logits: Buffer,
    /// The images of each step whose scores are on the card, the one at hand included.
    images: Vec<usize>,
    /// Batches of the step at hand.
    batches: usize,
    /// Whether their gradients are summed up.
    accumulated: bool,
    /// Whether training has begun.
    training: bool,
    /// Whether the host's copy of the parameters is older than the card's.
    stale: bool,
    /// Whether the memory was told.
    told: bool,
    news: Option<String>,
}

impl CudaEngine {
    /// An engine for batches of at most `rows` images.
    ///
    /// # Errors
    /// No such card, or one that will not do.
    pub(crate) fn new(
        options: CudaOptions,
        model: Model,
        sgd: Sgd,
        rows: usize,
    ) -> Result<Self, TrainError> {
        let gpu = Gpu::open(options)?;
        let capacity = rows.max(LEAST_ROWS);
        let network = Network::new(&gpu, &model, capacity)?;
        let feed = Feed::new(&gpu, capacity, model.config().input_size)?;
        let scores = gpu.buffer(Element::F64, STEPS * NUMBERS)?;
        let logits = gpu.buffer(Element::F32, capacity * model.config().classes)?;
        Ok(Self {
            affine: Affine::of(Normalize::none()),
            model,
            sgd,
            network,
            feed,
            scores,
            logits,
            gpu,
            images: Vec::new(),
            batches: 0,
            accumulated: false,
            training: false,
            stale: false,
            told: false,
            news: None,
        })
    }

    pub(crate) fn evaluation_rows(&self) -> usize {
        self.network.capacity()
    }

    pub(crate) fn see(&mut self, normalize: Normalize) {
        self.affine = Affine::of(normalize);
    }

    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), TrainError> {
        Ok(self.network.freeze_features(frozen)?)
    }

    /// The card, its arithmetic, in words.
    pub(crate) fn describe(&self) -> String {
        let card = self
            .gpu
            .describe()
            .unwrap_or_else(|error| format!("a card that does not say: {error}"));
        let deterministic = if self.gpu.deterministic {
            ", deterministic"
        } else {
            ""
        };
        format!("{card}; {}{deterministic}", self.gpu.precision.name())
    }

    /// What there is to tell once: the memory, after the first step has taken it.
    pub(crate) fn news(&mut self) -> Option<String> {
        self.news.take()
    }

    /// Bytes of the card that this engine holds.
    pub(crate) fn bytes(&self) -> usize {
        let own = self.scores.bytes() + self.logits.bytes();
        self.network.bytes() + self.feed.bytes() + own
    }

    pub(crate) fn gpu(&self) -> &Rc<Gpu> {
        &self.gpu
    }

    pub(crate) fn add(
        &mut self,
        batch: &Batch,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        self.add_pixels(pixels(batch), key, share)
    }

    /// [`add`](Self::add) of a batch from anywhere.
    pub(crate) fn add_pixels(
        &mut self,
        batch: Pixels<'_>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        let staged = self.stage(batch)?;
        self.add_staged(&staged, key, share)?;
        Ok(self.feed.release(staged)?)
    }

    /// Brings a batch with labels onto the card.
    pub(crate) fn stage(&mut self, batch: Pixels<'_>) -> Result<Staged, TrainError> {
        let classes = self.model.config().classes;
        for (row, &label) in batch.labels.iter().enumerate() {
            if !usize::try_from(label).is_ok_and(|label| label < classes) {
                return Err(ModelError::Label {
                    row,
                    label,
                    classes,
                }
                .into());
            }
        }
        if !self.training {
            self.network.begin_training(&self.sgd.velocities())?;
            self.training = true;
        }
        Ok(self.feed.stage(batch)?)
    }

    /// [`add`](Self::add) of a batch that is on the card; it stays there.
    pub(crate) fn add_staged(
        &mut self,
        staged: &Staged,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        if self.batches == 0 {
            assert!(self.images.len() < STEPS, "the scores are taken in time");
            self.images.push(0);
        }
        let step = self.images.len() - 1;
        self.images[step] += staged.rows;
        self.network
            .forward(&self.feed, staged, &self.affine, Some(key))?;
        let scores = self.scores.view_mut().tail(step * NUMBERS).head(3);
        self.network
            .backward(self.feed.labels(staged), key, scores)?;
        if let Some(share) = share {
            self.network.accumulate(share, self.batches == 0)?;
        }
        self.batches += 1;
        self.accumulated = share.is_some();
        Ok(())
    }

    pub(crate) fn update(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), TrainError> {
        let rates: Vec<Option<Rate>> = self.model.parameters().iter().map(rate).collect();
        let step = self.images.len() - 1;
        let norm = self.scores.view_mut().tail(step * NUMBERS + 3).head(1);
        let momentum = self.sgd.config().momentum;
        self.network
            .update(momentum, &rates, self.accumulated, norm)?;
        self.batches = 0;
        self.stale = true;
        if !self.told {
            self.told = true;
            self.news = Some(format!(
                "device memory {:.2} GiB, taken in the first step and constant from here",
                self.bytes() as f64 / f64::from(1 << 30)
            ));
        }
        Ok(())
    }

    /// Whether there is no room for another step's scores.
    pub(crate) fn is_full(&self) -> bool {
        self.images.len() == STEPS
    }

    pub(crate) fn take(&mut self) -> Result<Vec<Seen>, TrainError> {
        if self.images.is_empty() {
            return Ok(Vec::new());
        }
        let numbers: Vec<f64> = self.scores.read(self.images.len() * NUMBERS)?;
        self.scores.clear()?;
        let steps = self.images.drain(..).zip(numbers.chunks_exact(NUMBERS));
        Ok(steps
            .map(|(images, numbers)| Seen {
                images,
                output: StepOutput {
                    loss: numbers[0] / images as f64,
                    top1: numbers[1] as usize,
                    top5: numbers[2] as usize,
                },
                norm: numbers[3].sqrt(),
            })
            .collect())
    }

    pub(crate) fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, TrainError> {
        let mut batch = pixels(batch);
        batch.labels = &[];
        self.logits_of(batch)
    }

    /// [`logits`](Self::logits) of a batch from anywhere; its labels are not looked at.
    pub(crate) fn logits_of(&mut self, batch: Pixels<'_>) -> Result<Vec<Vec<f32>>, TrainError> {
        let staged = self.feed.stage(batch)?;
        let rows = staged.rows;
        self.infer(&staged)?;
        self.feed.release(staged)?;
        let logits = self.read_logits(rows)?;
        let classes = self.model.config().classes;
        Ok(logits.chunks_exact(classes).map(<[f32]>::to_vec).collect())
    }

    /// A forward pass without dropout over a batch that is on the card.
    pub(crate) fn infer(&mut self, staged: &Staged) -> Result<(), CudaError> {
        self.network.forward(&self.feed, staged, &self.affine, None)
    }

    fn read_logits(&mut self, rows: usize) -> Result<Vec<f32>, CudaError> {
        let logits = self.network.logits(rows);
        let len = logits.len;
        self.gpu.cast(logits, self.logits.view_mut().head(len))?;
        self.logits.read(len)
    }

    pub(crate) fn host(&mut self) -> Result<(&Model, &Sgd), TrainError> {
        if self.stale {
            for number in 0..self.model.parameters().len() {
                let mut values = vec![0.0; self.model.parameters()[number].len()];
                self.network.read_parameter(number, &mut values)?;
                let parameter = &self.model.parameters()[number];
                parameter
                    .update(|own| own.copy_from_slice(&values))
                    .map_err(ModelError::from)?;
                self.network
                    .read_velocity(number, self.sgd.velocity_mut(number))?;
            }
            self.stale = false;
        }
        Ok((&self.model, &self.sgd))
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }
}

/// A batch of bytes as the feed takes it.
fn pixels(batch: &Batch) -> Pixels<'_> {
    Pixels {
        images: batch.images_u8(),
        shifts: batch.color_shift(),
        labels: batch.labels(),
    }
}
