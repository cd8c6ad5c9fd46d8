//! Batches on their way into GPU memory, and conv1's input that is made of them.
//!
//! There are two slots of pinned host memory and GPU memory, so that a batch is copied and uploaded
//! while the GPU computes on the one before.
//!
//! Contract: the stream of uploads writes a slot's GPU memory, and the device's own stream reads it.
//! Each waits for the other's last event on the slot: an upload for `used`, which the reader records
//! after its last read, and the reader for `uploaded`. The host writes a slot's pinned memory only
//! after it has waited for `uploaded`.

use std::rc::Rc;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::sys::CUevent_flags;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream, PinnedHostSlice};
use rayon::prelude::*;
use shardmill_loader::{Area, Batch, Normalize};

use crate::cuda::Slice;
use crate::cuda::device::{Buffer, CudaError, Device, Element, ErrorContext, Value, View, ViewMut};
use crate::cuda::kernels::{self, Affine, Bytes, Canvas, MeanView, PLACE};
use crate::net::mean_image::MeanImage;

/// Batches in progress at once: one that is computed on, and one that is uploaded.
const SLOTS: usize = 2;

/// Bytes that one thread copies into pinned memory at a time.
const COPY: usize = 1 << 20;

/// A batch as the loader gives it for a GPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pixels<'a> {
    /// NHWC bytes, three channels.
    pub(crate) images: &'a [u8],
    /// One for each image; empty without colour noise.
    pub(crate) shifts: &'a [[f32; 3]],
    /// The part of its record that each image shows; needed only with a mean image.
    pub(crate) areas: &'a [Area],
    /// One for each image; empty where nothing is compared with them.
    pub(crate) labels: &'a [i64],
}

impl Pixels<'_> {
    /// Without the labels: where an image has several views, one label stands for several rows.
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

/// A batch from the loader, or from elsewhere for a check or a bench.
pub(crate) trait AsPixels: Send + Sync + 'static {
    fn pixels(&self) -> Pixels<'_>;
}

impl AsPixels for Batch {
    fn pixels(&self) -> Pixels<'_> {
        Pixels {
            images: self.images_u8(),
            shifts: self.color_shift(),
            areas: self.areas(),
            labels: self.labels(),
        }
    }
}

/// Values in pinned host memory, and their copy in GPU memory.
struct PinnedBuffer<T> {
    host: PinnedHostSlice<T>,
    copy: Buffer,
}

impl<T: Value + Send + Sync> PinnedBuffer<T> {
    fn new(device: &Device, len: usize) -> Result<Self, CudaError> {
        // SAFETY: the memory is filled below, before anybody reads it.
        let host = unsafe { device.stream.context().alloc_pinned(len) };
        let mut host = host.context("allocate pinned memory")?;
        host.as_mut_slice()
            .context("allocate pinned memory")?
            .fill(T::default());
        let copy = device.buffer(T::ELEMENT, len)?;
        Ok(Self { host, copy })
    }

    /// Queues an upload of `values`; the caller has waited for the last one.
    fn upload(&mut self, stream: &Arc<CudaStream>, values: &[T]) -> Result<(), CudaError> {
        if values.is_empty() {
            return Ok(());
        }
        let host = self.host.as_mut_slice().context("use pinned memory")?;
        let host = &mut host[..values.len()];
        let chunk = COPY / size_of::<T>();
        host.par_chunks_mut(chunk)
            .zip(values.par_chunks(chunk))
            .for_each(|(host, values)| host.copy_from_slice(values));
        // SAFETY: the GPU memory has room for as many values of this type as the host's.
        let target = unsafe { self.copy.memory_mut().transmute_mut::<T>(values.len()) };
        let mut target = target.expect("as much as on the host");
        stream
            .memcpy_htod(&*host, &mut target)
            .context("upload a batch")
    }
}

struct Slot {
    images: PinnedBuffer<u8>,
    shifts: PinnedBuffer<f32>,
    /// Where each image's part of the mean image lies, if there is one.
    places: PinnedBuffer<u32>,
    labels: PinnedBuffer<i64>,
    uploaded: CudaEvent,
    used: CudaEvent,
}

impl Slot {
    fn new(device: &Device, rows: usize, side: usize, places: usize) -> Result<Self, CudaError> {
        let event = || {
            device
                .stream
                .context()
                .new_event(Some(CUevent_flags::CU_EVENT_BLOCKING_SYNC))
                .context("create an event")
        };
        Ok(Self {
            images: PinnedBuffer::new(device, rows * side * side * 3)?,
            shifts: PinnedBuffer::new(device, rows * 3)?,
            places: PinnedBuffer::new(device, places)?,
            labels: PinnedBuffer::new(device, rows)?,
            uploaded: event()?,
            used: event()?,
        })
    }

    /// Bytes of GPU memory.
    fn bytes(&self) -> usize {
        let [images, shifts] = [&self.images.copy, &self.shifts.copy].map(Buffer::bytes);
        images + shifts + self.places.copy.bytes() + self.labels.copy.bytes()
    }
}

/// A mean image, and in GPU memory what to add to values from which the channels' means have been
/// subtracted.
struct Mean {
    image: Arc<MeanImage>,
    difference: Buffer,
}

/// Uploads batches and makes conv1's input of them.
pub(crate) struct Uploads {
    device: Rc<Device>,
    stream: Arc<CudaStream>,
    slots: Vec<Slot>,
    next: usize,
    /// Rows and columns of an image.
    side: usize,
    affine: Affine,
    mean: Option<Mean>,
}

/// A batch in GPU memory, until it is released by [`Uploads::release`].
#[derive(Debug)]
pub(crate) struct Staged {
    slot: usize,
    pub(crate) rows: usize,
}

impl Uploads {
    /// For batches of at most `rows` images of `side` pixels a side, from which a part of `mean` is
    /// subtracted. Their bytes stay as they are until
    /// [`set_normalization`](Self::set_normalization).
    pub(crate) fn new(
        device: &Rc<Device>,
        rows: usize,
        side: usize,
        mean: Option<Arc<MeanImage>>,
    ) -> Result<Self, CudaError> {
        // The driver refuses to allocate 0 bytes.
        let places = if mean.is_some() { rows * PLACE } else { 1 };
        let slot = |_| Slot::new(device, rows, side, places);
        let mean = mean.map(|image| {
            let difference = device.buffer(Element::F32, image.values().len())?;
            Ok::<_, CudaError>(Mean { image, difference })
        });
        let mut uploads = Self {
            stream: device
                .stream
                .context()
                .new_stream()
                .context("open a stream")?,
            slots: (0..SLOTS).map(slot).collect::<Result<_, CudaError>>()?,
            device: Rc::clone(device),
            next: 0,
            side,
            affine: Affine::of(Normalize::none()),
            mean: mean.transpose()?,
        };
        uploads.set_normalization(Normalize::none())?;
        // The memory was allocated on the device's stream.
        device.synchronize()?;
        Ok(uploads)
    }

    /// Bytes of GPU memory.
    pub(crate) fn bytes(&self) -> usize {
        let mean = self.mean.iter().map(|mean| mean.difference.bytes());
        self.slots.iter().map(Slot::bytes).chain(mean).sum()
    }

    /// Sets how the coming batches are normalized.
    pub(crate) fn set_normalization(&mut self, normalize: Normalize) -> Result<(), CudaError> {
        self.affine = Affine::of(normalize);
        if let Some(Mean { image, difference }) = &mut self.mean {
            // Queued batches still need the old values.
            self.device.synchronize()?;
            difference.write(&image.difference(&normalize))?;
        }
        Ok(())
    }

    /// Copies a batch into pinned memory, queues its upload, and makes the device's stream wait for
    /// it.
    ///
    /// # Panics
    /// If it has more rows than there is room for, or parts of different lengths; or no areas although
    /// there is a mean image.
    pub(crate) fn stage(&mut self, batch: Pixels<'_>) -> Result<Staged, CudaError> {
        let rows = batch.rows(self.side);
        assert!(batch.shifts.len() == rows || batch.shifts.is_empty());
        assert!(batch.labels.len() == rows || batch.labels.is_empty());
        let places = self.places(batch.areas, rows);
        let number = self.next;
        self.next = (number + 1) % SLOTS;
        let slot = &mut self.slots[number];
        // An earlier upload, which itself waits for the device's reads of the slot.
        self.device.wait_for(&slot.uploaded)?;
        let stream = &self.stream;
        stream.wait(&slot.used).context("order two streams")?;
        slot.images.upload(stream, batch.images)?;
        if batch.shifts.is_empty() {
            slot.shifts.upload(stream, &vec![0.0; rows * 3])?;
        } else {
            slot.shifts.upload(stream, batch.shifts.as_flattened())?;
        }
        slot.places.upload(stream, places.as_flattened())?;
        slot.labels.upload(stream, batch.labels)?;
        slot.uploaded.record(stream).context("order two streams")?;
        let reader = &self.device.stream;
        reader.wait(&slot.uploaded).context("order two streams")?;
        Ok(Staged { slot: number, rows })
    }

    /// Where each image's part of the mean image lies; empty without a mean image.
    fn places(&self, areas: &[Area], rows: usize) -> Vec<[u32; PLACE]> {
        let Some(Mean { image, .. }) = &self.mean else {
            return Vec::new();
        };
        assert_eq!(areas.len(), rows, "an area for each image");
        let place = |area: &Area| {
            let place = image.place(*area, self.side);
            [place.top, place.left, u32::from(place.flip)]
        };
        areas.iter().map(place).collect()
    }

    /// Writes conv1's input for a batch.
    pub(crate) fn write_input(
        &self,
        canvas: &Canvas,
        staged: &Staged,
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (slot, rows) = (&self.slots[staged.slot], staged.rows);
        let batch = Bytes {
            images: slot
                .images
                .copy
                .view()
                .head(rows * self.side * self.side * 3),
            shifts: slot.shifts.copy.view().head(rows * 3),
            affine: &self.affine,
            mean: self.mean.as_ref().map(|mean| MeanView {
                difference: mean.difference.view(),
                side: mean.image.side(),
                places: slot.places.copy.view().head(rows * PLACE),
            }),
        };
        kernels::finish(&self.device, canvas, batch, output)
    }

    /// The labels.
    pub(crate) fn labels(&self, staged: &Staged) -> View<'_> {
        self.slots[staged.slot].labels.copy.view().head(staged.rows)
    }

    /// Allows the batch's memory to be overwritten: all work that reads it has been queued.
    pub(crate) fn release(&mut self, staged: Staged) -> Result<(), CudaError> {
        let slot = &self.slots[staged.slot];
        slot.used
            .record(&self.device.stream)
            .context("order two streams")
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        // Memory is freed on the device's stream, so no upload may be in progress. The call that waited
        // for the upload has reported an error, or nobody needs it any longer.
        let _ = self.stream.synchronize();
    }
}
