//! The mean image of a split, from its records.

use rayon::prelude::*;
use shardmill_loader::{Dataset, Layout, Loader, Output, Policy};

use crate::net::mean_image::{MeanCut, MeanImage};
use crate::ranks::Ranks;
use crate::run::error::TrainError;

/// Images whose bytes are added up at once.
const MEAN_BATCH: usize = 64;

/// Values of a task that adds bytes up; sums of whole numbers do not depend on it.
const MEAN_CHUNK: usize = 1 << 12;

/// The mean image over all records of `dataset`, from exact sums; `threads` threads read the records.
/// `progress` is called with the number of records read.
///
/// # Errors
/// Records that are not square, or that cannot be read.
pub fn mean_image(
    dataset: &Dataset,
    cut: MeanCut,
    threads: usize,
    progress: impl Fn(u64),
) -> Result<MeanImage, TrainError> {
    mean_image_among(&Ranks::single(), dataset, cut, threads, progress)
}

/// [`mean_image`] for one of several ranks, each of which reads a part of the records.
pub(in crate::run) fn mean_image_among(
    ranks: &Ranks,
    dataset: &Dataset,
    cut: MeanCut,
    threads: usize,
    progress: impl Fn(u64),
) -> Result<MeanImage, TrainError> {
    let shape = dataset.shape();
    if shape.height != shape.width {
        return Err(TrainError::Recipe(format!(
            "the records have {}x{} pixels, but a mean image is made of square ones; use \
             `--mean channel`",
            shape.height, shape.width
        )));
    }
    let loader = Loader::builder(dataset.clone())
        .batch_size(MEAN_BATCH * ranks.size())
        .uneven_rank(ranks.rank(), ranks.size())
        .threads(threads)
        .policy(Policy::Center { crop: shape.height })
        .output(Output::U8)
        .layout(Layout::Nhwc)
        .shuffle(false)
        .build()?;
    let side = shape.height as usize;
    let len = side * side * 3;
    let mut sums = vec![0_u64; len];
    for batch in loader.epoch(0) {
        let batch = batch?;
        let bytes = batch.images_u8();
        let chunks = sums.par_chunks_mut(MEAN_CHUNK).enumerate();
        chunks.for_each(|(number, sums)| {
            for image in bytes.chunks_exact(len) {
                let bytes = &image[number * MEAN_CHUNK..];
                for (sum, byte) in sums.iter_mut().zip(bytes) {
                    *sum += u64::from(*byte);
                }
            }
        });
        progress(batch.samples_after());
    }
    ranks.sum_whole(&mut sums)?;
    let images = dataset.len();
    let mean = |sum: u64| (sum as f64 / images as f64) as f32;
    let values = sums.into_iter().map(mean).collect();
    Ok(MeanImage::new(side, values, cut))
}
