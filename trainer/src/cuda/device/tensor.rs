//! Candle's tensors as memory of the engine, without a copy.
//!
//! Contract: a view of a tensor is a pointer into the slice of GPU memory that the tensor holds, cut to the tensor's
//! values; it borrows the tensor, which keeps the slice. Others may hold the same tensor: what they queue through
//! candle goes through the stream of the same device, so that it comes before a kernel of the engine or after it.

use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, Storage, Tensor};

use crate::cuda::device::context::Device;
use crate::cuda::device::error::{CudaError, ErrorContext};
use crate::cuda::device::memory::{View, ViewMut};

/// The values of a contiguous f32 tensor on a GPU.
///
/// # Panics
/// If it is another one.
pub(crate) fn tensor_view(tensor: &Tensor) -> View<'_> {
    let layout = tensor.layout();
    let (start, end) = layout.contiguous_offsets().expect("a contiguous tensor");
    with_slice(tensor, |slice| View::of(slice, start..end).kept_by(tensor))
}

/// Runs `work` on the memory that holds the values of an f32 tensor on a GPU.
fn with_slice<R>(tensor: &Tensor, work: impl FnOnce(&CudaSlice<f32>) -> R) -> R {
    let (storage, _) = tensor.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else {
        panic!("a tensor on a GPU")
    };
    work(storage.as_cuda_slice().expect("an f32 tensor"))
}

/// f32 values in a tensor of candle's, which the engine writes in place. It is contiguous and alone in its memory.
#[derive(Debug)]
pub(crate) struct TensorBuffer(Tensor);

impl TensorBuffer {
    /// A tensor of this shape, all 0.
    pub(crate) fn new(device: &Device, shape: &[usize]) -> Result<Self, CudaError> {
        let len = shape.iter().product();
        let slice = device.stream.alloc_zeros(len).context("allocate memory")?;
        Ok(Self::of(device, slice, shape))
    }

    /// A tensor of this shape with values of the host.
    ///
    /// # Panics
    /// If there are more or fewer of them.
    pub(crate) fn from_host(
        device: &Device,
        values: &[f32],
        shape: &[usize],
    ) -> Result<Self, CudaError> {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        let slice = device.stream.clone_htod(values);
        let slice = slice.context("copy to the GPU")?;
        // The driver stages pageable memory; waiting makes sure that it has read all of it.
        device.stream.synchronize().context("copy to the GPU")?;
        Ok(Self::of(device, slice, shape))
    }

    fn of(device: &Device, slice: CudaSlice<f32>, shape: &[usize]) -> Self {
        let storage = CudaStorage::wrap_cuda_slice(slice, device.candle().clone());
        let (storage, none) = (Storage::Cuda(storage), BackpropOp::none());
        Self(Tensor::from_storage(storage, shape, none, false))
    }

    /// The tensor, whose clones share the memory.
    pub(crate) fn tensor(&self) -> &Tensor {
        &self.0
    }

    pub(crate) fn into_tensor(self) -> Tensor {
        self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.elem_count()
    }

    /// Bytes of GPU memory.
    pub(crate) fn bytes(&self) -> usize {
        self.len() * size_of::<f32>()
    }

    pub(crate) fn view(&self) -> View<'_> {
        tensor_view(&self.0)
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        self.view().writable()
    }

    /// The values, once all work queued so far is done.
    pub(crate) fn read(&self) -> Result<Vec<f32>, CudaError> {
        let mut values = vec![0.0; self.len()];
        with_slice(&self.0, |slice| {
            let stream = Arc::clone(slice.stream());
            stream
                .memcpy_dtoh(slice, &mut values)
                .and_then(|()| stream.synchronize())
        })
        .context("copy from the GPU")?;
        Ok(values)
    }
}
