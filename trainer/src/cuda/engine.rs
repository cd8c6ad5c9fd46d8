//! Training steps on a card, behind the interface that those on the CPU have.

use std::rc::Rc;

use shardmill_loader::{Batch, Normalize};

use crate::compute::CudaOptions;
use crate::cuda::card::{Card, STEPS};
use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::feed::{Pixels, Staged};
use crate::cuda::network::Network;
use crate::engine::{Seen, Slice, join};
use crate::net::sgd::{Rate, Sgd};
use crate::net::{DropoutKey, Model, ModelError, Parameter};
use crate::run::error::TrainError;

/// A network and its optimiser on a card.
pub(crate) struct CudaEngine {
    model: Model,
    sgd: Sgd,
    card: Card,
    /// The images of each step whose scores are on the card, the one at hand included.
    images: Vec<usize>,
    /// Whether a step is at hand.
    open: bool,
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
        let card = Card::new(Gpu::open(options)?, &model, rows)?;
        Ok(Self {
            model,
            sgd,
            card,
            images: Vec::new(),
            open: false,
            stale: false,
            told: false,
            news: None,
        })
    }

    pub(crate) fn evaluation_rows(&self) -> usize {
        self.card.capacity()
    }

    pub(crate) fn see(&mut self, normalize: Normalize) -> Result<(), CudaError> {
        self.card.see(normalize)
    }

    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), TrainError> {
        Ok(self.card.freeze_features(frozen)?)
    }

    /// The card, its arithmetic, in words.
    pub(crate) fn describe(&self) -> String {
        let card = self.gpu().describe();
        let card = card.unwrap_or_else(|error| format!("a card that does not say: {error}"));
        format!("{card}; {}", self.gpu().arithmetic())
    }

    /// What there is to tell once: the memory, after the first step has taken it.
    pub(crate) fn news(&mut self) -> Option<String> {
        self.news.take()
    }

    /// Bytes of the card that this engine holds.
    pub(crate) fn bytes(&self) -> usize {
        self.card.bytes()
    }

    pub(crate) fn gpu(&self) -> &Rc<Gpu> {
        self.card.gpu()
    }

    pub(crate) fn add(
        &mut self,
        batch: &Batch,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        self.add_pixels(Pixels::of(batch), key, share)
    }

    /// [`add`](Self::add) of a batch from anywhere.
    pub(crate) fn add_pixels(
        &mut self,
        batch: Pixels<'_>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        check_labels(&self.model, batch.labels)?;
        self.card.begin(&self.sgd)?;
        let rows = batch.labels.len();
        self.card.add(batch, Slice::all(rows), key, share)?;
        self.note(rows);
        Ok(())
    }

    /// Brings a batch with labels onto the card.
    pub(crate) fn stage(&mut self, batch: Pixels<'_>) -> Result<Staged, TrainError> {
        check_labels(&self.model, batch.labels)?;
        self.card.begin(&self.sgd)?;
        Ok(self.card.stage(batch)?)
    }

    /// [`add`](Self::add) of a batch that is on the card; it stays there.
    pub(crate) fn add_staged(
        &mut self,
        staged: &Staged,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        let slice = Slice::all(staged.rows);
        self.card.add_staged(staged, slice, key, share)?;
        self.note(staged.rows);
        Ok(())
    }

    /// Takes note of the images of a batch.
    fn note(&mut self, rows: usize) {
        if !std::mem::replace(&mut self.open, true) {
            self.images.push(0);
        }
        *self.images.last_mut().expect("pushed above") += rows;
    }

    pub(crate) fn update(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), TrainError> {
        let rates: Vec<Option<Rate>> = self.model.parameters().iter().map(rate).collect();
        self.card.update(self.sgd.config().momentum, &rates)?;
        self.open = false;
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
        let images = std::mem::take(&mut self.images);
        let seen = join(&images, &[self.card.take()?]);
        Ok(seen.expect("one card is of one mind"))
    }

    pub(crate) fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, TrainError> {
        self.logits_of(Pixels::of(batch).unlabelled())
    }

    /// [`logits`](Self::logits) of a batch from anywhere.
    pub(crate) fn logits_of(&mut self, batch: Pixels<'_>) -> Result<Vec<Vec<f32>>, TrainError> {
        let rows = batch.rows(self.model.config().input_size);
        let logits = self.card.logits(batch, Slice::all(rows))?;
        Ok(rows_of(&logits, self.card.classes()))
    }

    /// A forward pass without dropout over a batch that is on the card.
    pub(crate) fn infer(&mut self, staged: &Staged) -> Result<(), CudaError> {
        self.card.infer(staged)
    }

    pub(crate) fn host(&mut self) -> Result<(&Model, &Sgd), TrainError> {
        if self.stale {
            for (number, parameter) in self.model.parameters().iter().enumerate() {
                let mut values = vec![0.0; parameter.len()];
                let velocity = self.sgd.velocity_mut(number);
                self.card.read(number, &mut values, velocity)?;
                parameter
                    .update(|own| own.copy_from_slice(&values))
                    .map_err(ModelError::from)?;
            }
            self.stale = false;
        }
        Ok((&self.model, &self.sgd))
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn network(&self) -> &Network {
        self.card.network()
    }
}

/// Checks that labels are classes of the network: a card would read past its logits.
pub(crate) fn check_labels(model: &Model, labels: &[i64]) -> Result<(), ModelError> {
    let classes = model.config().classes;
    for (row, &label) in labels.iter().enumerate() {
        if !usize::try_from(label).is_ok_and(|label| label < classes) {
            return Err(ModelError::Label {
                row,
                label,
                classes,
            });
        }
    }
    Ok(())
}

/// Logits row by row.
pub(crate) fn rows_of(logits: &[f32], classes: usize) -> Vec<Vec<f32>> {
    logits.chunks_exact(classes).map(<[f32]>::to_vec).collect()
}
