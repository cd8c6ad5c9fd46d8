//! Batches on their way to the card: pinned memory of the host, recycled, and a stream of uploads.
//!
//! There are two slots, so that a batch is copied and uploaded while the card computes on the one
//! before.
//!
//! Contract: memory of a slot is shared by the stream of uploads, which writes it, and the card's own,
//! which reads it. Each waits for the other's last event on the slot: an upload for `used`, which the
//! reader records behind its last read, and the reader for `uploaded`. The host writes a slot's pinned
//! memory only after it has waited for `uploaded`.

use std::rc::Rc;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::sys::CUevent_flags;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream, PinnedHostSlice};
use rayon::prelude::*;
use shardmill_loader::{Area, Batch};

use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Buffer, Value, View};
use crate::cuda::kernels::PLACE;
use crate::cuda::slice::Slice;
use crate::net::mean_image::{MeanImage, Place};

/// Batches under way at once: one that is computed on, and one that is uploaded.
const SLOTS: usize = 2;

/// Bytes that one thread copies into pinned memory at a time.
const COPY: usize = 1 << 20;

/// A batch as the loader gives it for the card.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pixels<'a> {
    /// NHWC bytes, three channels.
    pub(crate) images: &'a [u8],
    /// A row for each image; none where there is no colour noise.
    pub(crate) shifts: &'a [[f32; 3]],
    /// The part of its record that each image shows; needed only where there is a mean image.
    pub(crate) areas: &'a [Area],
    /// One for each image; none where there is nothing to compare with.
    pub(crate) labels: &'a [i64],
}

impl<'a> Pixels<'a> {
    /// A batch of the loader.
    pub(crate) fn of(batch: &'a Batch) -> Self {
        Self {
            images: batch.images_u8(),
            shifts: batch.color_shift(),
            areas: batch.areas(),
            labels: batch.labels(),
        }
    }

    /// Without the labels, of which there is one for several rows where an image has several views.
    pub(crate) fn unlabelled(self) -> Self {
        Self {
            labels: &[],
            ..self
        }
    }

    /// The number of images of `side` pixels a side.
    ///
    /// # Panics
    /// If they are not whole ones.
    pub(crate) fn rows(&self, side: usize) -> usize {
        let values = side * side * 3;
        assert_eq!(self.images.len() % values, 0, "whole images");
        self.images.len() / values
    }

    /// The rows of a slice.
    pub(crate) fn part(&self, slice: Slice) -> Self {
        Self {
            images: slice.part(self.images),
            shifts: slice.part(self.shifts),
            areas: slice.part(self.areas),
            labels: slice.part(self.labels),
        }
    }
}

/// Values on their way: in pinned memory, and on the card.
struct Lane<T> {
    host: PinnedHostSlice<T>,
    card: Buffer,
}

impl<T: Value + Send + Sync> Lane<T> {
    fn new(gpu: &Gpu, len: usize) -> Result<Self, CudaError> {
        // SAFETY: the memory is filled before anybody reads it, below.
        let host = unsafe { gpu.context.alloc_pinned(len) };
        let mut host = host.doing("allocate pinned memory")?;
        host.as_mut_slice()
            .doing("allocate pinned memory")?
            .fill(T::default());
        let card = gpu.buffer(T::ELEMENT, len)?;
        Ok(Self { host, card })
    }

    /// Queues an upload of `values`; the caller has seen to it that the last one is done.
    fn upload(&mut self, stream: &Arc<CudaStream>, values: &[T]) -> Result<(), CudaError> {
        if values.is_empty() {
            return Ok(());
        }
        let host = self.host.as_mut_slice().doing("use pinned memory")?;
        let host = &mut host[..values.len()];
        let chunk = COPY / size_of::<T>();
        host.par_chunks_mut(chunk)
            .zip(values.par_chunks(chunk))
            .for_each(|(host, values)| host.copy_from_slice(values));
        // SAFETY: the memory on the card has room for as many values of this type as that of the host.
        let target = unsafe { self.card.memory_mut().transmute_mut::<T>(values.len()) };
        let mut target = target.expect("as much as on the host");
        stream
            .memcpy_htod(&*host, &mut target)
            .doing("upload a batch")
    }
}

struct Slot {
    images: Lane<u8>,
    shifts: Lane<f32>,
    /// Where each image's part of the mean image lies, if there is one.
    places: Lane<u32>,
    labels: Lane<i64>,
    uploaded: CudaEvent,
    used: CudaEvent,
}

/// What uploads batches.
pub(crate) struct Feed {
    gpu: Rc<Gpu>,
    uploads: Arc<CudaStream>,
    slots: Vec<Slot>,
    next: usize,
    side: usize,
    mean: Option<Arc<MeanImage>>,
}

/// A batch on the card, until it is given back to [`Feed::release`].
#[derive(Debug)]
pub(crate) struct Staged {
    slot: usize,
    pub(crate) rows: usize,
}

impl Feed {
    /// A feed of batches of at most `rows` images of `side` pixels a side, from which a part of `mean`
    /// is subtracted.
    pub(crate) fn new(
        gpu: &Rc<Gpu>,
        rows: usize,
        side: usize,
        mean: Option<Arc<MeanImage>>,
    ) -> Result<Self, CudaError> {
        // The driver refuses to allocate 0 bytes.
        let places = if mean.is_some() { rows * PLACE } else { 1 };
        let uploads = gpu.context.new_stream().doing("open a stream")?;
        let event = || {
            gpu.context
                .new_event(Some(CUevent_flags::CU_EVENT_BLOCKING_SYNC))
                .doing("make an event")
        };
        let slot = |_| {
            Ok(Slot {
                images: Lane::new(gpu, rows * side * side * 3)?,
                shifts: Lane::new(gpu, rows * 3)?,
                places: Lane::new(gpu, places)?,
                labels: Lane::new(gpu, rows)?,
                uploaded: event()?,
                used: event()?,
            })
        };
        let slots = (0..SLOTS).map(slot).collect::<Result<_, CudaError>>()?;
        // The memory was made on the other stream.
        gpu.wait()?;
        Ok(Self {
            gpu: Rc::clone(gpu),
            uploads,
            slots,
            next: 0,
            side,
            mean,
        })
    }

    /// Bytes on the card.
    pub(crate) fn bytes(&self) -> usize {
        let slots = self.slots.iter();
        slots
            .map(|s| {
                let [images, shifts] = [&s.images.card, &s.shifts.card].map(Buffer::bytes);
                images + shifts + s.places.card.bytes() + s.labels.card.bytes()
            })
            .sum()
    }

    /// Copies a batch into pinned memory, queues its upload, and lets the card's stream wait for it.
    ///
    /// # Panics
    /// If it has more rows than the feed was made for, or parts of different lengths; or no areas where
    /// there is a mean image.
    pub(crate) fn stage(&mut self, batch: Pixels<'_>) -> Result<Staged, CudaError> {
        let rows = batch.rows(self.side);
        assert!(batch.shifts.len() == rows || batch.shifts.is_empty());
        assert!(batch.labels.len() == rows || batch.labels.is_empty());
        let places = self.places(batch.areas, rows);
        let number = self.next;
        self.next = (number + 1) % SLOTS;
        let slot = &mut self.slots[number];
        // An earlier upload, which waits for what the card reads of the slot.
        self.gpu.wait_for(&slot.uploaded)?;
        let stream = &self.uploads;
        stream.wait(&slot.used).doing("order two streams")?;
        slot.images.upload(stream, batch.images)?;
        if batch.shifts.is_empty() {
            slot.shifts.upload(stream, &vec![0.0; rows * 3])?;
        } else {
            slot.shifts.upload(stream, batch.shifts.as_flattened())?;
        }
        slot.places.upload(stream, places.as_flattened())?;
        slot.labels.upload(stream, batch.labels)?;
        slot.uploaded.record(stream).doing("order two streams")?;
        let card = &self.gpu.stream;
        card.wait(&slot.uploaded).doing("order two streams")?;
        Ok(Staged { slot: number, rows })
    }

    /// Where each image's part of the mean image lies; nothing where there is none.
    fn places(&self, areas: &[Area], rows: usize) -> Vec<[u32; PLACE]> {
        let Some(mean) = &self.mean else {
            return Vec::new();
        };
        assert_eq!(areas.len(), rows, "an area for each image");
        let place = |area: &Area| {
            let Place { top, left, flip } = mean.place(*area, self.side);
            // No more than the loader's own 32 bits.
            [top as u32, left as u32, u32::from(flip)]
        };
        areas.iter().map(place).collect()
    }

    /// The images, NHWC bytes.
    pub(crate) fn images(&self, staged: &Staged) -> View<'_> {
        let len = staged.rows * self.side * self.side * 3;
        self.slots[staged.slot].images.card.view().head(len)
    }

    /// The colour shifts, three for each image.
    pub(crate) fn shifts(&self, staged: &Staged) -> View<'_> {
        self.slots[staged.slot]
            .shifts
            .card
            .view()
            .head(staged.rows * 3)
    }

    /// [`PLACE`] values for each image, where there is a mean image.
    pub(crate) fn mean_places(&self, staged: &Staged) -> View<'_> {
        let places = self.slots[staged.slot].places.card.view();
        places.head(staged.rows * PLACE)
    }

    /// The labels.
    pub(crate) fn labels(&self, staged: &Staged) -> View<'_> {
        self.slots[staged.slot].labels.card.view().head(staged.rows)
    }

    /// Says that all that reads the batch is queued, so that its memory may be written again.
    pub(crate) fn release(&mut self, staged: Staged) -> Result<(), CudaError> {
        let slot = &self.slots[staged.slot];
        slot.used
            .record(&self.gpu.stream)
            .doing("order two streams")
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // Memory is freed on the card's stream, so no upload may be under way. An error here has been
        // told by the call that waited for the upload, or concerns nobody any more.
        let _ = self.uploads.synchronize();
    }
}
