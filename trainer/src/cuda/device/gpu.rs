//! A card: its context, its stream, and the handles of the libraries on it.
//!
//! Contract: one `Gpu` belongs to one host thread (the type is not `Send`, as cuDNN's handle is not),
//! and everything it queues goes through its one stream; NCCL's sums of gradients go through it too. Event tracking of the context is switched off
//! where the context is our own: `feed.rs` orders the only other stream by events of its own.

#[cfg(feature = "nccl")]
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc;
use cudarc::cublas::CudaBlas;
use cudarc::cudnn;
use cudarc::driver::{CudaContext, CudaEvent, CudaStream, sys::CUdevice_attribute};

use crate::compute::{CudaOptions, Precision};
#[cfg(feature = "nccl")]
use crate::cuda::cards::Link;
use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::memory::{Buffer, Element};
use crate::cuda::kernels::Kernels;

/// The least compute capability: the kernels' PTX is for it, and newer drivers translate it.
const CAPABILITY: (i32, i32) = (7, 5);

/// The least compute capability with bf16 and TF32 in tensor cores.
const TENSOR_CAPABILITY: (i32, i32) = (8, 0);

/// A card with the handles of its libraries.
///
/// The handles come first, so that they are closed while the context is open.
pub(crate) struct Gpu {
    pub(crate) dnn: DnnHandle,
    pub(crate) blas: CudaBlas,
    pub(crate) kernels: Kernels,
    pub(crate) stream: Arc<CudaStream>,
    pub(crate) context: Arc<CudaContext>,
    pub(crate) precision: Precision,
    pub(crate) deterministic: bool,
    /// The other cards, where there are some.
    #[cfg(feature = "nccl")]
    link: OnceCell<Link>,
}

impl Gpu {
    /// Opens a card.
    ///
    /// # Errors
    /// No such card, one that is too old, or libraries that do not start.
    pub(crate) fn open(options: CudaOptions) -> Result<Rc<Self>, CudaError> {
        let count = CudaContext::device_count().doing("count the cards")?;
        if options.ordinal as i64 >= i64::from(count) {
            return Err(CudaError::Unsupported(format!(
                "there is no card number {}; this machine has {count}, counted from 0",
                options.ordinal
            )));
        }
        let context = CudaContext::new(options.ordinal).doing("open the card")?;
        // SAFETY: all memory of this context is used on the one stream below, but for the feed's,
        // which orders its second stream by its own events (`feed.rs`).
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().doing("open a stream")?;
        Self::on(stream, options.precision, options.deterministic)
    }

    /// A card whose work goes through a stream that exists.
    ///
    /// # Errors
    /// A card that is too old, or libraries that do not start.
    pub(crate) fn on(
        stream: Arc<CudaStream>,
        precision: Precision,
        deterministic: bool,
    ) -> Result<Rc<Self>, CudaError> {
        let context = Arc::clone(stream.context());
        let found = context.compute_capability().doing("ask the card")?;
        let name = context.name().doing("ask the card")?;
        let needed = match precision {
            Precision::F32 => CAPABILITY,
            Precision::Tf32 | Precision::Bf16 => TENSOR_CAPABILITY,
        };
        // Without tensor cores for them, TF32 products are f32 ones; bf16 is not there at all.
        if found < CAPABILITY || (precision == Precision::Bf16 && found < needed) {
            return Err(CudaError::Old {
                name,
                found,
                needed,
            });
        }
        let kernels = Kernels::load(&context)?;
        let blas = CudaBlas::new(Arc::clone(&stream)).doing("start cuBLAS")?;
        let dnn = DnnHandle::new(&stream)?;
        Ok(Rc::new(Self {
            context,
            stream,
            kernels,
            blas,
            dnn,
            precision,
            deterministic,
            #[cfg(feature = "nccl")]
            link: OnceCell::new(),
        }))
    }

    /// The type of activations and of their gradients.
    pub(crate) fn element(&self) -> Element {
        match self.precision {
            Precision::F32 | Precision::Tf32 => Element::F32,
            Precision::Bf16 => Element::Bf16,
        }
    }

    /// Memory for `len` values, all 0.
    pub(crate) fn buffer(&self, element: Element, len: usize) -> Result<Buffer, CudaError> {
        Buffer::new(&self.stream, element, len)
    }

    /// Waits until all queued work is done.
    pub(crate) fn wait(&self) -> Result<(), CudaError> {
        self.settle()?;
        self.stream.synchronize().doing("finish the work queued")
    }

    /// To be called before whatever may wait for the queued work: where there are other cards, waits
    /// for it here, since a card that has failed would be waited for without end.
    ///
    /// # Errors
    /// Another card has failed, or the driver reports something.
    pub(crate) fn settle(&self) -> Result<(), CudaError> {
        #[cfg(feature = "nccl")]
        if let Some(link) = self.link.get() {
            return link.settle(&self.stream);
        }
        Ok(())
    }

    /// Waits for an event.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub(crate) fn wait_for(&self, event: &CudaEvent) -> Result<(), CudaError> {
        #[cfg(feature = "nccl")]
        if let Some(link) = self.link.get() {
            return link.wait_for(event);
        }
        event.synchronize().doing("wait for the card")
    }

    /// Joins other cards: from here, an update sums up the gradients of all.
    #[cfg(feature = "nccl")]
    pub(crate) fn join(&self, link: Link) {
        assert!(self.link.set(link).is_ok(), "a card joins once");
    }

    /// The other cards, where there are some.
    #[cfg(feature = "nccl")]
    pub(crate) fn link(&self) -> Option<&Link> {
        self.link.get()
    }

    /// Whether there are other cards.
    pub(crate) fn has_others(&self) -> bool {
        #[cfg(feature = "nccl")]
        return self.link.get().is_some();
        #[cfg(not(feature = "nccl"))]
        false
    }

    /// The arithmetic in words.
    pub(crate) fn arithmetic(&self) -> String {
        let name = self.precision.name();
        let deterministic = if self.deterministic {
            ", deterministic"
        } else {
            ""
        };
        format!("{name}{deterministic}")
    }

    /// The card in words: name, capability, memory.
    pub(crate) fn describe(&self) -> Result<String, CudaError> {
        let name = self.context.name().doing("ask the card")?;
        let (major, minor) = self.context.compute_capability().doing("ask the card")?;
        let (_, total) = self.memory()?;
        let processors = self
            .context
            .attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            .doing("ask the card")?;
        Ok(format!(
            "{name}, compute capability {major}.{minor}, {processors} multiprocessors, {:.1} GiB",
            total as f64 / f64::from(1 << 30)
        ))
    }

    /// Bytes of the card's memory that are free, and all of them.
    pub(crate) fn memory(&self) -> Result<(usize, usize), CudaError> {
        self.context.mem_get_info().doing("ask for free memory")
    }
}

/// cuDNN's handle.
pub(crate) struct DnnHandle(pub(crate) cudnn::sys::cudnnHandle_t);

impl DnnHandle {
    fn new(stream: &Arc<CudaStream>) -> Result<Self, CudaError> {
        stream
            .context()
            .bind_to_thread()
            .doing("use the card on this thread")?;
        let handle = Self(cudnn::result::create_handle().doing("start cuDNN")?);
        // SAFETY: the handle was made above and the stream is open; `Gpu` keeps both together.
        unsafe { cudnn::result::set_stream(handle.0, stream.cu_stream().cast()) }
            .doing("start cuDNN")?;
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
