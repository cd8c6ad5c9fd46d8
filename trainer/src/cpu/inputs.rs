//! The images of a batch as the CPU's network takes them.

use std::sync::Arc;

use rayon::prelude::*;
use shardmill_loader::{Batch, Normalize};

use crate::net::mean_image::MeanImage;

/// Subtracts the mean image, where there is one, from the loader's images.
pub(crate) struct Inputs {
    mean: Option<Arc<MeanImage>>,
    /// What to add to a record's pixels; empty where there is no mean image.
    difference: Vec<f32>,
    values: Vec<f32>,
}

impl Inputs {
    pub(crate) fn new(mean: Option<Arc<MeanImage>>) -> Self {
        Self {
            mean,
            difference: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The mean image, if there is one.
    pub(crate) fn mean_image(&self) -> Option<&MeanImage> {
        self.mean.as_deref()
    }

    /// Sets how the loader normalises the coming batches.
    pub(crate) fn set_normalization(&mut self, normalize: &Normalize) {
        if let Some(mean) = &self.mean {
            self.difference = mean.difference(normalize);
        }
    }

    /// The images of a batch.
    pub(crate) fn of<'a>(&'a mut self, batch: &'a Batch) -> &'a [f32] {
        let images = batch.images_f32();
        let Some(mean) = &self.mean else {
            return images;
        };
        let crop = batch.shape()[1];
        let len = crop * crop * 3;
        self.values.resize(images.len(), 0.0);
        let (difference, areas) = (&self.difference, batch.areas());
        self.values
            .par_chunks_mut(len)
            .zip(images.par_chunks(len))
            .zip(areas)
            .for_each(|((to, from), area)| mean.shift(difference, *area, crop, from, to));
        &self.values
    }
}
