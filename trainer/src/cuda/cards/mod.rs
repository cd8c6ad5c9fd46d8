//! Training steps on several cards of this machine, behind the interface that those on one have.
//!
//! Each card has the whole network and computes some rows of every batch, from a thread of its own. The
//! gradients are summed up over the cards by NCCL before the update, which all make alike, so that their
//! parameters stay the same.

mod staged;

use std::sync::Arc;
use std::time::Duration;

use candle_core::cuda_backend::cudarc::nccl::{self, Id};
use shardmill_loader::{Batch, Normalize};

use crate::compute::CardsOptions;
use crate::cuda::card::{Card, STEPS};
use crate::cuda::device::crew::{Alarm, Crew};
use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::gpu::Gpu;
pub(crate) use crate::cuda::device::link::Link;
use crate::cuda::engine::rows_of;
use crate::cuda::feed::Pixels;
use crate::cuda::scores::join;
use crate::cuda::slice::Slice;
use crate::net::sgd::Rate;
use crate::net::{DropoutKey, Model, ModelError, Parameter, StepMetrics, TrainState};

/// How long the other cards may take to stop after one has failed.
const GRACE: Duration = Duration::from_secs(10);

/// A network and its optimiser on several cards.
pub(crate) struct CardsEngine {
    /// Shared with the cards' threads only while they are asked something.
    state: Arc<TrainState>,
    crew: Crew<Card>,
    /// The images of each step whose metrics are on the cards, the one at hand included.
    images: Vec<usize>,
    /// Whether a step is at hand.
    open: bool,
    /// Steps whose metrics were drained.
    taken: usize,
    /// Whether training has begun.
    training: bool,
    /// Whether the host's copy of the parameters is older than the cards'.
    stale: bool,
    /// Whether the memory has been logged.
    memory_logged: bool,
    log_line: Option<String>,
    /// The cards in words.
    about: String,
    /// Images of a batch, at most.
    capacity: usize,
}

impl CardsEngine {
    /// An engine for batches of at most `rows` images.
    ///
    /// # Errors
    /// A card that is not there or will not do, more cards than rows, or cards that cannot be joined.
    pub(crate) fn new(
        options: CardsOptions,
        state: TrainState,
        rows: usize,
    ) -> Result<Self, CudaError> {
        let count = options.cards.len();
        if rows < count {
            return Err(CudaError::FewRows { rows, cards: count });
        }
        let state = Arc::new(state);
        let alarm = Arc::new(Alarm::default());
        let of_card = rows.div_ceil(count);
        let shared = Arc::clone(&state);
        let mut crew = Crew::start(
            options.cards.numbers(),
            Arc::clone(&alarm),
            GRACE,
            move |card| Card::new(Gpu::open(options.of(card))?, &shared, of_card),
        )?;
        let id = Id::new().doing("prepare NCCL")?;
        let abouts = crew.all(move |place, card| {
            let gpu = card.gpu();
            let link = Link::join(&gpu.stream, Arc::clone(&alarm), id, (place, count))?;
            gpu.join(link);
            Ok((gpu.describe()?, gpu.arithmetic(), card.capacity()))
        })?;
        let cards = abouts.iter().enumerate();
        let cards = cards.map(|(place, (card, ..))| format!("cuda:{} {card}", crew.number(place)));
        let cards: Vec<String> = cards.collect();
        let (_, arithmetic, capacity) = &abouts[0];
        Ok(Self {
            about: format!(
                "{count} cards, {}; {arithmetic}; NCCL {}",
                cards.join(", "),
                version()?
            ),
            capacity: capacity * count,
            state,
            crew,
            images: Vec::new(),
            open: false,
            taken: 0,
            training: false,
            stale: false,
            memory_logged: false,
            log_line: None,
        })
    }

    pub(crate) fn evaluation_rows(&self) -> usize {
        self.capacity
    }

    pub(crate) fn set_normalization(&mut self, normalize: Normalize) -> Result<(), CudaError> {
        self.crew
            .all(move |_, card| card.set_normalization(normalize))?;
        Ok(())
    }

    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), CudaError> {
        self.crew.all(move |_, card| card.freeze_features(frozen))?;
        Ok(())
    }

    /// The cards, their arithmetic, in words.
    pub(crate) fn describe(&self) -> String {
        self.about.clone()
    }

    /// A line for the log, once: the memory, after the first step has taken it.
    pub(crate) fn take_log_line(&mut self) -> Option<String> {
        self.log_line.take()
    }

    /// Computes a batch's gradient; every card takes its slice.
    pub(crate) fn accumulate(
        &mut self,
        batch: &Arc<Batch>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        self.accumulate_pixels(batch, |batch| Pixels::of(batch), key, share)
    }

    /// [`accumulate`](Self::accumulate) of a batch from anywhere, of which `pixels` gives what there is of it.
    pub(crate) fn accumulate_pixels<B: Send + Sync + 'static>(
        &mut self,
        batch: &Arc<B>,
        pixels: fn(&B) -> Pixels<'_>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        let labels = pixels(batch).labels;
        self.state.model.check_labels(labels)?;
        let (rows, cards) = (labels.len(), self.crew.len());
        let (batch, begin) = (Arc::clone(batch), self.begin());
        self.crew.all(move |place, card| {
            begin
                .as_ref()
                .map_or(Ok(()), |state| card.begin(&state.sgd))?;
            let slice = Slice::of(place, cards, rows);
            card.accumulate(pixels(&batch), slice, key, share)
        })?;
        self.note(rows);
        Ok(())
    }

    /// Takes note of the images of a batch.
    fn note(&mut self, rows: usize) {
        if !std::mem::replace(&mut self.open, true) {
            self.images.push(0);
        }
        *self.images.last_mut().expect("pushed above") += rows;
    }

    /// The state that training begins with, the first time.
    fn begin(&mut self) -> Option<Arc<TrainState>> {
        let begun = std::mem::replace(&mut self.training, true);
        (!begun).then(|| Arc::clone(&self.state))
    }

    /// Updates the parameters and ends the step; every card makes the same.
    pub(crate) fn step(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), CudaError> {
        let rates: Vec<Option<Rate>> = self.state.model.parameters().iter().map(rate).collect();
        let momentum = self.state.sgd.config().momentum;
        let bytes = self.crew.all(move |_, card| {
            card.step(momentum, &rates)?;
            Ok(card.bytes())
        })?;
        self.open = false;
        self.stale = true;
        if !std::mem::replace(&mut self.memory_logged, true) {
            let gib = |&bytes: &usize| format!("{:.2}", bytes as f64 / f64::from(1 << 30));
            let each: Vec<String> = bytes.iter().map(gib).collect();
            self.log_line = Some(format!(
                "device memory {} GiB, taken in the first step and constant from here",
                each.join(" + ")
            ));
        }
        Ok(())
    }

    /// Whether there is no room for another step's metrics.
    pub(crate) fn metrics_full(&self) -> bool {
        self.images.len() == STEPS
    }

    pub(crate) fn drain_metrics(&mut self) -> Result<Vec<StepMetrics>, CudaError> {
        if self.images.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = self.crew.all(|_, card| card.drain_metrics())?;
        let images = std::mem::take(&mut self.images);
        let metrics = join(&images, &numbers).map_err(|parted| CudaError::CardsParted {
            step: self.taken + parted.step + 1,
            first: self.crew.number(0),
            card: self.crew.number(parted.card),
        })?;
        self.taken += images.len();
        Ok(metrics)
    }

    /// The logits of a batch, whose rows the cards share.
    pub(crate) fn logits(&mut self, batch: &Arc<Batch>) -> Result<Vec<Vec<f32>>, CudaError> {
        let (rows, cards) = (batch.rows(), self.crew.len());
        let batch = Arc::clone(batch);
        let logits = self.crew.all(move |place, card| {
            let slice = Slice::of(place, cards, rows);
            card.logits(Pixels::of(&batch).unlabelled(), slice)
        })?;
        Ok(rows_of(&logits.concat(), self.state.model.config().classes))
    }

    /// The state as it is now on the first card, in host memory; the others have the same.
    pub(crate) fn host_state(&mut self) -> Result<&TrainState, CudaError> {
        let state = Arc::get_mut(&mut self.state).expect("no card holds it between two calls");
        if self.stale {
            for (number, parameter) in state.model.parameters().iter().enumerate() {
                let len = parameter.len();
                let (values, velocity) = self.crew.first(move |card| {
                    let (mut values, mut velocity) = (vec![0.0; len], vec![0.0; len]);
                    card.read(number, &mut values, &mut velocity)?;
                    Ok((values, velocity))
                })?;
                parameter
                    .update(|own| own.copy_from_slice(&values))
                    .map_err(ModelError::from)?;
                state.sgd.velocity_mut(number).copy_from_slice(&velocity);
            }
            self.stale = false;
        }
        Ok(state)
    }

    pub(crate) fn model(&self) -> &Model {
        &self.state.model
    }
}

impl Drop for CardsEngine {
    fn drop(&mut self) {
        // All are done before one leaves; an error has been told, or concerns nobody any more.
        let _ = self.wait();
    }
}

/// NCCL's version, as in 2.28.9.
fn version() -> Result<String, CudaError> {
    let version = nccl::result::get_nccl_version().doing("ask NCCL for its version")?;
    let (major, rest) = (version / 10_000, version % 10_000);
    Ok(format!("{major}.{}.{}", rest / 100, rest % 100))
}
