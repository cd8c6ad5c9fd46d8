//! The images of a batch as the network sees them on the CPU.

use rayon::prelude::*;
use shardmill_loader::{Batch, Normalize};

use crate::net::mean_image::MeanImage;

/// The loader's images, or what is left of them once a mean image is subtracted.
#[derive(Default)]
pub(crate) struct Inputs {
    /// What to add to a record's pixels; empty where there is no mean image.
    difference: Vec<f32>,
    values: Vec<f32>,
}

impl Inputs {
    /// Takes note of how the loader normalises the coming batches.
    pub(crate) fn see(&mut self, mean: Option<&MeanImage>, normalize: &Normalize) {
        self.difference = mean.map_or_else(Vec::new, |mean| mean.difference(normalize));
    }

    /// The images of a batch.
    pub(crate) fn of<'a>(&'a mut self, mean: Option<&MeanImage>, batch: &'a Batch) -> &'a [f32] {
        let images = batch.images_f32();
        let Some(mean) = mean else {
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
