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
use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::gpu::Gpu;
pub(crate) use crate::cuda::device::link::Link;
use crate::cuda::engine::{check_labels, rows_of};
use crate::cuda::feed::Pixels;
use crate::engine::{Alarm, Crew, Seen, Slice, join};
use crate::net::sgd::{Rate, Sgd};
use crate::net::{DropoutKey, Model, ModelError, Parameter};
use crate::run::error::TrainError;

/// How long the other cards may take to stop after one has failed.
const GRACE: Duration = Duration::from_secs(10);

/// A network and its optimiser on several cards.
pub(crate) struct CardsEngine {
    /// Shared with the cards' threads only while they are asked something.
    model: Arc<Model>,
    sgd: Arc<Sgd>,
    crew: Crew<Card>,
    /// The images of each step whose scores are on the cards, the one at hand included.
    images: Vec<usize>,
    /// Whether a step is at hand.
    open: bool,
    /// Steps whose scores were taken.
    taken: usize,
    /// Whether training has begun.
    training: bool,
    /// Whether the host's copy of the parameters is older than the cards'.
    stale: bool,
    /// Whether the memory was told.
    told: bool,
    news: Option<String>,
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
        model: Model,
        sgd: Sgd,
        rows: usize,
    ) -> Result<Self, TrainError> {
        let count = options.cards.len();
        if rows < count {
            return Err(TrainError::FewRows { rows, cards: count });
        }
        let model = Arc::new(model);
        let alarm = Arc::new(Alarm::default());
        let of_card = rows.div_ceil(count);
        let shared = Arc::clone(&model);
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
            model,
            sgd: Arc::new(sgd),
            crew,
            images: Vec::new(),
            open: false,
            taken: 0,
            training: false,
            stale: false,
            told: false,
            news: None,
        })
    }

    pub(crate) fn evaluation_rows(&self) -> usize {
        self.capacity
    }

    pub(crate) fn see(&mut self, normalize: Normalize) -> Result<(), TrainError> {
        self.crew.all(move |_, card| card.see(normalize))?;
        Ok(())
    }

    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), TrainError> {
        self.crew.all(move |_, card| card.freeze_features(frozen))?;
        Ok(())
    }

    /// The cards, their arithmetic, in words.
    pub(crate) fn describe(&self) -> String {
        self.about.clone()
    }

    /// What there is to tell once: the memory, after the first step has taken it.
    pub(crate) fn news(&mut self) -> Option<String> {
        self.news.take()
    }

    /// See [`Engine::add`](crate::engine::Engine::add); every card takes its slice.
    pub(crate) fn add(
        &mut self,
        batch: &Arc<Batch>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        self.add_pixels(batch, |batch| Pixels::of(batch), key, share)
    }

    /// [`add`](Self::add) of a batch from anywhere, of which `pixels` gives what there is of it.
    pub(crate) fn add_pixels<B: Send + Sync + 'static>(
        &mut self,
        batch: &Arc<B>,
        pixels: fn(&B) -> Pixels<'_>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        let labels = pixels(batch).labels;
        check_labels(&self.model, labels)?;
        let (rows, cards) = (labels.len(), self.crew.len());
        let (batch, begin) = (Arc::clone(batch), self.begin());
        self.crew.all(move |place, card| {
            begin.as_ref().map_or(Ok(()), |sgd| card.begin(sgd))?;
            let slice = Slice::of(place, cards, rows);
            card.add(pixels(&batch), slice, key, share)
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

    /// The optimiser that training begins with, the first time.
    fn begin(&mut self) -> Option<Arc<Sgd>> {
        let begun = std::mem::replace(&mut self.training, true);
        (!begun).then(|| Arc::clone(&self.sgd))
    }

    /// See [`Engine::update`](crate::engine::Engine::update); every card makes the same.
    pub(crate) fn update(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), TrainError> {
        let rates: Vec<Option<Rate>> = self.model.parameters().iter().map(rate).collect();
        let momentum = self.sgd.config().momentum;
        let bytes = self.crew.all(move |_, card| {
            card.update(momentum, &rates)?;
            Ok(card.bytes())
        })?;
        self.open = false;
        self.stale = true;
        if !std::mem::replace(&mut self.told, true) {
            let gib = |&bytes: &usize| format!("{:.2}", bytes as f64 / f64::from(1 << 30));
            let each: Vec<String> = bytes.iter().map(gib).collect();
            self.news = Some(format!(
                "device memory {} GiB, taken in the first step and constant from here",
                each.join(" + ")
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
        let numbers = self.crew.all(|_, card| card.take())?;
        let images = std::mem::take(&mut self.images);
        let seen = join(&images, &numbers).map_err(|parted| TrainError::CardsParted {
            step: self.taken + parted.step + 1,
            first: self.crew.number(0),
            card: self.crew.number(parted.card),
        })?;
        self.taken += images.len();
        Ok(seen)
    }

    /// The logits of a batch, whose rows the cards share.
    pub(crate) fn logits(&mut self, batch: &Arc<Batch>) -> Result<Vec<Vec<f32>>, TrainError> {
        let (rows, cards) = (batch.rows(), self.crew.len());
        let batch = Arc::clone(batch);
        let logits = self.crew.all(move |place, card| {
            let slice = Slice::of(place, cards, rows);
            card.logits(Pixels::of(&batch).unlabelled(), slice)
        })?;
        Ok(rows_of(&logits.concat(), self.model.config().classes))
    }

    /// Network and optimiser as the first card has them; the others have the same.
    pub(crate) fn host(&mut self) -> Result<(&Model, &Sgd), TrainError> {
        let sgd = Arc::get_mut(&mut self.sgd).expect("no card holds it between two calls");
        if self.stale {
            for (number, parameter) in self.model.parameters().iter().enumerate() {
                let len = parameter.len();
                let (values, velocity) = self.crew.first(move |card| {
                    let (mut values, mut velocity) = (vec![0.0; len], vec![0.0; len]);
                    card.read(number, &mut values, &mut velocity)?;
                    Ok((values, velocity))
                })?;
                parameter
                    .update(|own| own.copy_from_slice(&values))
                    .map_err(ModelError::from)?;
                sgd.velocity_mut(number).copy_from_slice(&velocity);
            }
            self.stale = false;
        }
        Ok((&self.model, sgd))
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
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
