//! A GPU: candle's device, whose context and stream are the engine's too, and the handles of the libraries on it.
//!
//! Contract: a `Device` belongs to one host thread (the type is not `Send`, as cuDNN's handle is not),
//! and all work goes through its one stream, which waits for NCCL's sums of gradients. Candle's operations
//! on tensors of the device go through the same stream, so they need no order of their own. Event tracking
//! is switched off where the context is opened here: `upload.rs` orders the only other stream that cudarc
//! would track by events of its own.

#[cfg(feature = "nccl")]
use std::cell::OnceCell;
#[cfg(feature = "nccl")]
use std::ffi::c_int;
#[cfg(feature = "nccl")]
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use candle_core::CudaDevice;
use candle_core::cuda_backend::cudarc;
use cudarc::cublas::CudaBlas;
use cudarc::cudnn;
use cudarc::driver::{CudaContext, CudaEvent, CudaStream, sys::CUdevice_attribute};
#[cfg(feature = "nccl")]
use cudarc::driver::{result, sys};
#[cfg(feature = "nccl")]
use cudarc::nccl::Id;

use crate::compute::Precision;
use crate::cuda::device::error::{CudaError, ErrorContext};
use crate::cuda::device::kernels::{Argument, Entry, Grid, Kernels};
#[cfg(feature = "nccl")]
use crate::cuda::device::link::Link;
use crate::cuda::device::memory::{Buffer, Element, ViewMut, make_current};
#[cfg(feature = "nccl")]
use crate::cuda::device::threads::FailureFlag;

/// The least compute capability: the kernels' PTX targets it, and drivers translate it for newer GPUs.
const CAPABILITY: (i32, i32) = (7, 5);

/// The least compute capability with bf16 and TF32 in tensor cores.
const TENSOR_CAPABILITY: (i32, i32) = (8, 0);

/// Channels of 2 bytes that tensor cores take at a time.
pub(crate) const BF16_CHANNELS: usize = 8;

/// A GPU with the handles of its libraries. With other GPUs every call that waits may fail because one of
/// them has failed.
///
/// The handles come first, so that they are closed while the context is open.
pub(crate) struct Device {
    dnn: DnnHandle,
    /// Candle's handle of cuBLAS.
    pub(crate) blas: Arc<CudaBlas>,
    kernels: Kernels,
    pub(crate) stream: Arc<CudaStream>,
    /// What the stream and the handle of cuBLAS belong to.
    candle: CudaDevice,
    pub(crate) precision: Precision,
    pub(crate) deterministic: bool,
    /// The connection to the other GPUs of a run.
    #[cfg(feature = "nccl")]
    link: OnceCell<Link>,
}

impl Device {
    /// Opens GPU number `ordinal`.
    ///
    /// # Errors
    /// No such GPU, one that is too old, or libraries that do not start.
    pub(crate) fn open(
        ordinal: usize,
        precision: Precision,
        deterministic: bool,
    ) -> Result<Rc<Self>, CudaError> {
        let count = CudaContext::device_count().context("count the GPUs")?;
        if ordinal as i64 >= i64::from(count) {
            return Err(CudaError::Unsupported(format!(
                "there is no GPU number {ordinal}; this machine has {count}, counted from 0"
            )));
        }
        // With a stream of its own: candle's usual one is another on every thread.
        let candle = CudaDevice::new_with_stream(ordinal).context("open the GPU")?;
        // SAFETY: all memory of this context is used on the device's one stream, by candle too, except that of
        // uploads, which order their second stream by their own events (`upload.rs`).
        unsafe { candle.disable_event_tracking() };
        Self::on(&candle, precision, deterministic)
    }

    /// The GPU of a candle device, on whose stream all work goes.
    ///
    /// # Errors
    /// A GPU that is too old, or libraries that do not start.
    pub(crate) fn on(
        candle: &CudaDevice,
        precision: Precision,
        deterministic: bool,
    ) -> Result<Rc<Self>, CudaError> {
        let stream = candle.cuda_stream();
        let context = Arc::clone(stream.context());
        let found = context.compute_capability().context("query the GPU")?;
        let name = context.name().context("query the GPU")?;
        let needed = match precision {
            Precision::F32 => CAPABILITY,
            Precision::Tf32 | Precision::Bf16 => TENSOR_CAPABILITY,
        };
        // Without tensor cores for them, TF32 products are f32 products; bf16 is not supported at all.
        if found < CAPABILITY || (precision == Precision::Bf16 && found < needed) {
            return Err(CudaError::Old {
                name,
                found,
                needed,
            });
        }
        let kernels = Kernels::load(&context)?;
        let dnn = DnnHandle::new(&stream)?;
        Ok(Rc::new(Self {
            stream,
            kernels,
            blas: candle.cublas_handle(),
            dnn,
            candle: candle.clone(),
            precision,
            deterministic,
            #[cfg(feature = "nccl")]
            link: OnceCell::new(),
        }))
    }

    /// Candle's device.
    pub(crate) fn candle(&self) -> &CudaDevice {
        &self.candle
    }

    /// cuDNN's handle, which is open as long as the device.
    pub(crate) fn dnn(&self) -> cudnn::sys::cudnnHandle_t {
        self.dnn.0
    }

    /// The type of activations and of their gradients.
    pub(crate) fn element(&self) -> Element {
        match self.precision {
            Precision::F32 | Precision::Tf32 => Element::F32,
            Precision::Bf16 => Element::Bf16,
        }
    }

    /// Channels that conv1 is computed with: tensor cores take 16 bytes at a time.
    pub(crate) fn input_channels(&self) -> usize {
        match self.precision {
            Precision::F32 | Precision::Tf32 => 4,
            Precision::Bf16 => BF16_CHANNELS,
        }
    }

    /// Memory for `len` values, all 0.
    pub(crate) fn buffer(&self, element: Element, len: usize) -> Result<Buffer, CudaError> {
        Buffer::new(&self.stream, element, len)
    }

    /// Queues a kernel.
    ///
    /// # Safety
    /// As [`Kernels::launch`].
    pub(crate) unsafe fn launch(
        &self,
        entry: Entry,
        grid: Grid,
        arguments: &[Argument],
    ) -> Result<(), CudaError> {
        // SAFETY: the caller's promise.
        unsafe { self.kernels.launch(&self.stream, entry, grid, arguments) }
    }

    /// Waits until all queued work is done. To be called before anything that may wait for queued
    /// work: where there are other GPUs, the driver would wait without end for one that has failed.
    pub(crate) fn synchronize(&self) -> Result<(), CudaError> {
        #[cfg(feature = "nccl")]
        if let Some(link) = self.link.get() {
            link.synchronize(&self.stream)?;
        }
        self.stream.synchronize().context("finish the queued work")
    }

    /// Waits for an event.
    pub(crate) fn wait_for(&self, event: &CudaEvent) -> Result<(), CudaError> {
        #[cfg(feature = "nccl")]
        if let Some(link) = self.link.get() {
            return link.wait_for(event);
        }
        event.synchronize().context("wait for the GPU")
    }

    /// Opens this GPU's memory to the GPUs with these numbers, as far as they can reach it: NCCL 2.14 to 2.22 writes
    /// directly into the buffers of another GPU of the process, and what comes from a pool is closed to the others
    /// until the pool says otherwise.
    #[cfg(feature = "nccl")]
    pub(crate) fn open_memory_to(&self, numbers: &[usize]) -> Result<(), CudaError> {
        const ACTION: &str = "open the GPU's memory to the others";
        make_current(&self.stream)?;
        let own = self.stream.context().cu_device();
        let mut access = Vec::new();
        for &number in numbers {
            let number = number as c_int;
            let other = result::device::get(number).context(ACTION)?;
            let mut reaches = 0;
            // SAFETY: both are GPUs of this machine, and the answer has its place.
            unsafe { sys::cuDeviceCanAccessPeer(&raw mut reaches, other, own) }
                .result()
                .context(ACTION)?;
            if other != own && reaches != 0 {
                access.push(Access {
                    kind: sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
                    number,
                    flags: sys::CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
                });
            }
        }
        if access.is_empty() {
            return Ok(());
        }
        let mut pool = ptr::null_mut();
        // SAFETY: the GPU is one of this machine, the pool has its place, and there are as many descriptions as is
        // said, laid out as the driver's.
        unsafe {
            sys::cuDeviceGetMemPool(&raw mut pool, own)
                .result()
                .and_then(|()| {
                    sys::cuMemPoolSetAccess(pool, access.as_ptr().cast(), access.len()).result()
                })
        }
        .context(ACTION)
    }

    /// Connects this GPU as number `rank` of `count`: from now on an update sums the gradients of all.
    #[cfg(feature = "nccl")]
    pub(crate) fn connect(
        &self,
        failure: Arc<FailureFlag>,
        id: Id,
        rank: usize,
        count: usize,
    ) -> Result<(), CudaError> {
        let link = Link::connect(&self.stream, failure, id, rank, count)?;
        assert!(self.link.set(link).is_ok(), "a device is connected once");
        Ok(())
    }

    /// Begins to sum values over all GPUs, in place; nobody may touch them before
    /// [`end_sum`](Self::end_sum).
    pub(crate) fn begin_sum(&self, values: Vec<ViewMut<'_>>) -> Result<(), CudaError> {
        #[cfg(feature = "nccl")]
        if let Some(link) = self.link.get() {
            return link.begin_sum(&self.stream, values);
        }
        drop(values);
        Ok(())
    }

    /// Makes the stream wait for the sums that have begun.
    pub(crate) fn end_sum(&self) -> Result<(), CudaError> {
        #[cfg(feature = "nccl")]
        if let Some(link) = self.link.get() {
            return link.end_sum(&self.stream);
        }
        Ok(())
    }

    /// Leaves the other GPUs, if there are some, which ends what a failed one of them has left undone.
    pub(crate) fn disconnect(&self) {
        #[cfg(feature = "nccl")]
        if let Some(link) = self.link.get() {
            link.abort();
        }
    }

    /// Whether there are other GPUs.
    pub(crate) fn has_peers(&self) -> bool {
        #[cfg(feature = "nccl")]
        return self.link.get().is_some();
        #[cfg(not(feature = "nccl"))]
        false
    }

    /// The GPU in words: name, capability, memory.
    pub(crate) fn describe(&self) -> Result<String, CudaError> {
        let name = self.stream.context().name().context("query the GPU")?;
        let capability = self.stream.context().compute_capability();
        let (major, minor) = capability.context("query the GPU")?;
        let (_, total) = self.memory()?;
        let processors = self
            .stream
            .context()
            .attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            .context("query the GPU")?;
        Ok(format!(
            "{name}, compute capability {major}.{minor}, {processors} multiprocessors, {:.1} GiB",
            total as f64 / f64::from(1 << 30)
        ))
    }

    /// Free bytes of the GPU's memory, and all of them.
    pub(crate) fn memory(&self) -> Result<(usize, usize), CudaError> {
        self.stream
            .context()
            .mem_get_info()
            .context("query the free memory")
    }
}

/// Which GPU may do what with a pool's memory: `CUmemAccessDesc` of `cuda.h`, whose location has had a union for its
/// number since CUDA 13.2.
#[cfg(feature = "nccl")]
#[repr(C)]
struct Access {
    kind: sys::CUmemLocationType,
    number: c_int,
    flags: sys::CUmemAccess_flags,
}

#[cfg(feature = "nccl")]
const _: () = assert!(size_of::<Access>() == size_of::<sys::CUmemAccessDesc>());

/// cuDNN's handle.
struct DnnHandle(cudnn::sys::cudnnHandle_t);

impl DnnHandle {
    fn new(stream: &Arc<CudaStream>) -> Result<Self, CudaError> {
        make_current(stream)?;
        let handle = Self(cudnn::result::create_handle().context("start cuDNN")?);
        // SAFETY: the handle was made above and the stream is open; `Device` keeps both together.
        unsafe { cudnn::result::set_stream(handle.0, stream.cu_stream().cast()) }
            .context("start cuDNN")?;
        Ok(handle)
    }
}

impl Drop for DnnHandle {
    fn drop(&mut self) {
        // SAFETY: the handle was made by `new`, and this is its only owner. An error while closing
        // leaves nothing to do.
        let _ = unsafe { cudnn::result::destroy_handle(self.0) };
    }
}
