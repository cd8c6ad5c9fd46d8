//! Features of images: the outputs of one layer, a row for each.

use std::borrow::Cow;
use std::ops::Range;

use shardmill_formats::Class;

use crate::analysis::{AnalysisError, layers};
use crate::checkpoint::Checkpoint;
use crate::compute::available_memory;
use crate::net::layer;
use crate::run::error::TrainError;
use crate::run::{Subject, data};

/// The outputs of one layer for the images of a split, from the centre view, in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// The layer's name, such as `fc7`.
    pub layer: String,
    /// The split.
    pub split: String,
    /// Values of a row.
    pub len: usize,
    /// `[rows, len]`; row `i` is image `i` of the split.
    pub values: Vec<f32>,
    /// The label of each row, an index into `classes`.
    pub labels: Vec<i64>,
    /// The dataset's classes.
    pub classes: Vec<Class>,
}

/// Rows of features, in memory or in a file.
pub trait Rows {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Values of a row.
    fn row_len(&self) -> usize;

    /// The values of some rows, one row after the other.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn read(&self, rows: Range<usize>) -> Result<Cow<'_, [f32]>, AnalysisError>;
}

impl Rows for Features {
    fn rows(&self) -> usize {
        self.labels.len()
    }

    fn row_len(&self) -> usize {
        self.len
    }

    fn read(&self, rows: Range<usize>) -> Result<Cow<'_, [f32]>, AnalysisError> {
        let range = rows.start * self.len..rows.end * self.len;
        Ok(Cow::Borrowed(&self.values[range]))
    }
}

/// Checks that the outputs of a layer for the images of these subjects fit into memory, where the system tells how
/// much it has.
///
/// # Errors
/// Features that do not fit; a checkpoint or dataset that cannot be read; a layer that the network does not have.
pub(crate) fn check_memory(subjects: &[&Subject], layer: &str) -> Result<(), AnalysisError> {
    let mut needed = 0;
    for subject in subjects {
        let config = Checkpoint::peek(&subject.checkpoint)
            .map_err(TrainError::from)?
            .model;
        let layers = layer::layers(&config).map_err(|error| TrainError::Model(error.into()))?;
        let len = layers[layers::number(&layers, layer)?].output_len() as u64;
        let images = data::open(&subject.shards, &subject.split)?.len();
        needed += images * len * size_of::<f32>() as u64;
    }
    match available_memory() {
        Some(available) if needed > available => Err(AnalysisError::Memory { needed, available }),
        _ => Ok(()),
    }
}
