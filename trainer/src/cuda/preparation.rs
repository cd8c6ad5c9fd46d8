//! How a batch's bytes become the values that the network sees.

use std::sync::Arc;

use shardmill_loader::Normalize;

use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Buffer, Element, ViewMut};
use crate::cuda::feed::{Feed, Staged};
use crate::cuda::kernels::{Affine, Canvas, MeanView};
use crate::net::mean_image::MeanImage;

/// The scale of the pixels and the mean that is subtracted, on the card.
pub(crate) struct Preparation {
    affine: Affine,
    mean: Option<Mean>,
}

/// A mean image, and what to add to values from which the channels' means were subtracted already.
struct Mean {
    image: Arc<MeanImage>,
    difference: Buffer,
}

impl Preparation {
    /// Bytes as they are, until [`set_normalization`](Self::set_normalization) says otherwise.
    ///
    /// # Errors
    /// Too little memory.
    pub(crate) fn new(gpu: &Gpu, mean: Option<Arc<MeanImage>>) -> Result<Self, CudaError> {
        let mean = mean.map(|image| {
            let difference = gpu.buffer(Element::F32, image.values().len())?;
            Ok::<_, CudaError>(Mean { image, difference })
        });
        let mut new = Self {
            affine: Affine::of(Normalize::none()),
            mean: mean.transpose()?,
        };
        new.set_normalization(gpu, Normalize::none())?;
        Ok(new)
    }

    /// Bytes on the card.
    pub(crate) fn bytes(&self) -> usize {
        self.mean.as_ref().map_or(0, |mean| mean.difference.bytes())
    }

    /// Sets how the coming batches are normalized.
    ///
    /// # Errors
    /// What the card reports.
    pub(crate) fn set_normalization(
        &mut self,
        gpu: &Gpu,
        normalize: Normalize,
    ) -> Result<(), CudaError> {
        self.affine = Affine::of(normalize);
        if let Some(Mean { image, difference }) = &mut self.mean {
            // The write waits for the batches that are queued, which still need the old values.
            gpu.settle()?;
            difference.write(&image.difference(&normalize))?;
        }
        Ok(())
    }

    /// Writes the values of a batch on the card.
    ///
    /// # Errors
    /// What the card reports.
    pub(crate) fn finish(
        &self,
        gpu: &Gpu,
        canvas: &Canvas,
        feed: &Feed,
        batch: &Staged,
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let mean = self.mean.as_ref().map(|mean| MeanView {
            difference: mean.difference.view(),
            side: mean.image.side(),
            places: feed.mean_places(batch),
        });
        let (images, shifts) = (feed.images(batch), feed.shifts(batch));
        let how = (&self.affine, mean);
        gpu.finish(canvas, batch.rows, images, shifts, how, output)
    }
}
