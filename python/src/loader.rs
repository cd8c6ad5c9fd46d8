//! A loader: its data and its settings.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use shardmill_loader::{Mix, Normalize, Order, Output};

use crate::dataset::Dataset;
use crate::epoch::Epoch;
use crate::errors::{detached, from_loader};
use crate::settings::Settings;
use crate::transform::{Transform, keep_attached};

/// Datasets, and settings that are valid for them.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct Loader {
    inner: shardmill_loader::Loader,
    views: usize,
    output: Output,
    order: Order,
    transform: Option<Transform>,
}

#[pymethods]
impl Loader {
    /// `parts` are datasets with integer weights; `samples` is the length of an epoch of several datasets.
    #[new]
    #[pyo3(signature = (parts, samples, settings, transform))]
    fn new(
        py: Python<'_>,
        parts: Vec<(Py<Dataset>, u32)>,
        samples: Option<u64>,
        settings: Settings,
        transform: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let parts = parts
            .iter()
            .map(|(dataset, weight)| (dataset.get().inner.clone(), *weight));
        let parts: Vec<_> = parts.collect();
        let mix = match <[_; 1]>::try_from(parts) {
            Ok([(dataset, _)]) => Mix::from(dataset),
            Err(parts) => Mix::new(parts).map_err(|error| from_loader(py, &error))?,
        };
        let mix = match samples {
            Some(samples) => mix.samples(samples),
            None => mix,
        };
        let policy = settings.policy(py)?;
        let output = settings.output(py)?;
        let order = settings.order(py)?;
        let mut builder = shardmill_loader::Loader::builder(mix)
            .batch_size(settings.global_batch_size)
            .seed(settings.seed)
            .threads(settings.threads)
            .prefetch(settings.prefetch)
            .policy(policy)
            .views(settings.views)
            .draw_every(settings.draw_every)
            .normalize(Normalize {
                mean: settings.mean,
                std: settings.std,
            })
            .output(output)
            .layout(settings.layout(py)?)
            .last_batch(settings.last_batch(py)?)
            .order(order)
            .verify(settings.verify(py)?)
            .on_bad_record(settings.on_bad_record(py)?)
            .advice(settings.advice(py)?)
            .rank(settings.rank, settings.world_size);
        if let Some(jitter) = settings.color_jitter() {
            builder = builder.color_jitter(jitter);
        }
        let transform = transform.map(Transform::new);
        if let Some(transform) = transform.clone() {
            builder = builder
                .around_threads(keep_attached)
                .transform(move |sample| transform.apply(sample));
        }
        let inner = detached(py, || builder.build())?;
        let views = inner.rows_per_sample();
        Ok(Self {
            inner,
            views,
            output,
            order,
            transform,
        })
    }

    /// The order in the words of a state. It never changes how an order is written, so that old states are read.
    #[getter]
    fn order(&self) -> String {
        match self.order {
            Order::Blocks { block, interleave } => format!("blocks {block} {interleave}"),
            Order::Shards { together } => format!("shards {together}"),
            order => order.to_string(),
        }
    }

    /// Batches in an epoch, the same on every rank.
    #[getter]
    fn steps(&self) -> u64 {
        self.inner.steps()
    }

    /// Samples in an epoch, over all ranks.
    #[getter]
    fn samples(&self) -> u64 {
        self.inner.samples()
    }

    /// Threads that an iteration starts.
    #[getter]
    fn threads(&self) -> usize {
        self.inner.threads()
    }

    /// The batches of an epoch after its first `samples` samples, counted over all ranks.
    fn epoch(this: &Bound<'_, Self>, number: u64, samples: u64) -> Epoch {
        let loader = this.get();
        let epoch = loader.inner.epoch_from(number, samples);
        Epoch::new(
            epoch,
            loader.views,
            loader.output,
            this.clone().into_any().unbind(),
        )
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.transform {
            Some(transform) => transform.traverse(&visit),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        if let Some(transform) = &self.transform {
            transform.clear();
        }
    }

    /// The position of the dataset that an index in a batch belongs to, and the sample's index in it.
    fn locate(&self, index: u64) -> PyResult<(usize, u64)> {
        let mix = self.inner.mix();
        let all: u64 = mix.datasets().iter().map(|part| part.len()).sum();
        if index >= all {
            let text = format!("there is no sample {index}: the loader has {all} samples");
            return Err(pyo3::exceptions::PyIndexError::new_err(text));
        }
        Ok(mix.locate(index))
    }

    /// Expected number of distinct classes in a batch; `None` for several datasets.
    fn expected_classes(&self, py: Python<'_>, epoch: u64) -> PyResult<Option<f64>> {
        detached(py, || Ok(self.inner.expected_classes(epoch)))
    }
}
