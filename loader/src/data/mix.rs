//! Several datasets as one.

use std::sync::Arc;

use shardmill_formats::{Codec, RecordShape};

use super::dataset::Dataset;
use crate::error::LoaderError;

/// Largest sum of weights, since the turns of the datasets are kept as a list at least as long.
const LARGEST_SUM: u64 = 65_536;

/// Several datasets, mixed by weight; a single dataset is a mix of one.
///
/// Each dataset gives samples in proportion to its weight. In the next epoch a dataset continues where
/// it stopped. After its last sample it begins again in a new order, so over time all samples of a
/// dataset occur equally often.
///
/// Indices in the batches of a mix count through all datasets: those of the second dataset begin where
/// those of the first end.
///
/// ```no_run
/// use shardmill_loader::{Dataset, Loader, Mix};
///
/// let photos = Dataset::open("photos", "train")?.filter_classes(&[3, 7]);
/// let drawings = Dataset::open("drawings", "train")?.select(0..1000)?;
/// let loader = Loader::builder(Mix::new([(photos, 3), (drawings, 1)])?).build()?;
/// for batch in loader.epoch(0) {
///     let (dataset, sample) = loader.mix().locate(batch?.indices()[0]);
///     println!("dataset {dataset}, sample {sample}");
/// }
/// # Ok::<(), shardmill_loader::LoaderError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mix {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    parts: Vec<Dataset>,
    weights: Vec<u32>,
    /// First index of each part, and the number of samples at the end.
    starts: Vec<u64>,
    /// Samples of an epoch.
    len: u64,
}

impl Mix {
    /// Mixes datasets with integer weights: `[(a, 3), (b, 1)]` gives three samples of `a` for each
    /// sample of `b`. An epoch has as many samples as all datasets have; [`samples`](Self::samples)
    /// changes that.
    ///
    /// # Errors
    /// No dataset, an empty one, a weight of 0, or datasets that differ in record size, codec or
    /// classes.
    pub fn new(parts: impl IntoIterator<Item = (Dataset, u32)>) -> Result<Self, LoaderError> {
        let (parts, weights): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let Some(first) = parts.first() else {
            let what = "the number of datasets";
            return Err(LoaderError::setting(what, 0, "mix at least one"));
        };
        if let Some(i) = weights.iter().position(|&weight| weight == 0) {
            let advice = "weights count from 1: leave the dataset out";
            let found = format!("0 for dataset {i}");
            return Err(LoaderError::setting("a weight", found, advice));
        }
        if weights.iter().map(|&w| u64::from(w)).sum::<u64>() > LARGEST_SUM {
            let advice = "choose smaller ones in the same proportion, with a sum of at most 65,536";
            let (what, found) = ("the sum of the weights", format!("{weights:?}"));
            return Err(LoaderError::setting(what, found, advice));
        }
        for (i, part) in parts.iter().enumerate() {
            let wrong = |what, found: &dyn std::fmt::Display, advice: String| {
                let found = format!("{found} in dataset {i}");
                Err(LoaderError::setting(what, found, advice))
            };
            if part.is_empty() {
                let advice = "leave the empty dataset out".to_owned();
                return wrong("the number of samples", &0, advice);
            }
            if part.shape() != first.shape() {
                let advice = format!("the first has {}: ingest both with one size", first.shape());
                return wrong("the record size", &part.shape(), advice);
            }
            if part.codec() != first.codec() {
                let advice = format!(
                    "the first has {0}: use `prep convert --codec {0}`",
                    first.codec()
                );
                return wrong("the codec", &part.codec(), advice);
            }
            if part.classes() != first.classes() {
                let found = format!("{} of their own", part.classes().len());
                let advice = "a label must mean the same class in every dataset".to_owned();
                return wrong("the list of classes", &found, advice);
            }
        }
        let mut starts = vec![0];
        for part in &parts {
            starts.push(starts[starts.len() - 1] + part.len());
        }
        let len = starts[parts.len()];
        Ok(Self {
            inner: Arc::new(Inner {
                parts,
                weights,
                starts,
                len,
            }),
        })
    }

    /// Sets the number of samples of an epoch of a mix of several datasets.
    #[must_use]
    pub fn samples(self, samples: u64) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.inner);
        if inner.parts.len() > 1 {
            inner.len = samples;
        }
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The datasets.
    #[must_use]
    pub fn datasets(&self) -> &[Dataset] {
        &self.inner.parts
    }

    /// Number of samples of an epoch.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.inner.len
    }

    /// Whether an epoch has no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dataset of an index in a batch, as an index into [`datasets`](Self::datasets), and the
    /// sample's index in that dataset.
    ///
    /// # Panics
    /// If `index` is not below the number of samples of all datasets, like `key` and `label`.
    #[must_use]
    pub fn locate(&self, index: u64) -> (usize, u64) {
        let starts = &self.inner.starts;
        assert!(
            index < starts[starts.len() - 1],
            "sample {index} of the mix"
        );
        let part = starts.partition_point(|&start| start <= index) - 1;
        (part, index - starts[part])
    }

    /// The key of a sample by its index in a batch.
    #[must_use]
    pub fn key(&self, index: u64) -> &str {
        let (part, sample) = self.locate(index);
        self.inner.parts[part].key(sample)
    }

    /// The label of a sample by its index in a batch.
    #[must_use]
    pub fn label(&self, index: u64) -> i64 {
        let (part, sample) = self.locate(index);
        self.inner.parts[part].label(sample)
    }

    pub(crate) fn index(&self, part: usize, sample: u64) -> u64 {
        self.inner.starts[part] + sample
    }

    pub(crate) fn first(&self) -> &Dataset {
        &self.inner.parts[0]
    }

    pub(crate) fn shape(&self) -> RecordShape {
        self.first().shape()
    }

    pub(crate) fn codec(&self) -> Codec {
        self.first().codec()
    }

    /// The weight of each dataset.
    pub(crate) fn weights(&self) -> &[u32] {
        &self.inner.weights
    }
}

impl From<Dataset> for Mix {
    fn from(dataset: Dataset) -> Self {
        let len = dataset.len();
        Self {
            inner: Arc::new(Inner {
                parts: vec![dataset],
                weights: vec![1],
                starts: vec![0, len],
                len,
            }),
        }
    }
}
