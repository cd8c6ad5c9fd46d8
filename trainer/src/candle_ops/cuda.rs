//! What the operations share on a CUDA device: its handles, and views of candle's tensors.
//!
//! Work goes through the stream of the tensors' device. Tensors are f32 and contiguous, as on the CPU;
//! products take all bits of their factors.

use std::cell::RefCell;
use std::rc::Rc;

use candle_core::cuda_backend::DeviceId;
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, Device, Error, Layout, Result, Storage, Tensor, bail};

use crate::compute::Precision;
use crate::cuda::device::{CudaError, Device as Gpu, View, ViewMut};

thread_local! {
    /// This thread's handles on each GPU: cuDNN's belong to a thread.
    static GPUS: RefCell<Vec<(DeviceId, Rc<Gpu>)>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn failed(error: CudaError) -> Error {
    Error::wrap(error)
}

/// The handles on a tensor's device.
pub(super) fn handles(device: &CudaDevice) -> Result<Rc<Gpu>> {
    GPUS.with_borrow_mut(|gpus| {
        if let Some((_, gpu)) = gpus.iter().find(|(id, _)| *id == device.id()) {
            return Ok(Rc::clone(gpu));
        }
        let gpu = Gpu::on(device.cuda_stream(), Precision::F32, false).map_err(failed)?;
        gpus.push((device.id(), Rc::clone(&gpu)));
        Ok(gpu)
    })
}

/// The values of a contiguous f32 tensor.
pub(super) fn view<'a>(storage: &'a CudaStorage, layout: &Layout) -> Result<View<'a>> {
    let slice = storage.as_cuda_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(View::of(slice, start..end)),
        None => bail!("the operation needs contiguous f32 values"),
    }
}

/// A new f32 tensor's memory, filled by `work`.
pub(super) fn fill(
    device: &CudaDevice,
    len: usize,
    work: impl FnOnce(&Gpu, ViewMut<'_>) -> std::result::Result<(), CudaError>,
) -> Result<CudaStorage> {
    let gpu = handles(device)?;
    let mut slice = device.alloc_zeros::<f32>(len)?;
    work(&gpu, ViewMut::of(&mut slice)).map_err(failed)?;
    Ok(CudaStorage::wrap_cuda_slice(slice, device.clone()))
}

/// A gradient: a new tensor of the shape of `like`, from that tensor and the gradient of the output.
pub(super) fn gradient(
    like: &Tensor,
    output_gradient: &Tensor,
    work: impl FnOnce(&Gpu, View<'_>, View<'_>, ViewMut<'_>) -> std::result::Result<(), CudaError>,
) -> Result<Tensor> {
    let (like, output_gradient) = (like.contiguous()?, output_gradient.contiguous()?);
    let Device::Cuda(device) = like.device() else {
        bail!("the operation runs on a GPU here")
    };
    with_view(&like, |values| {
        with_view(&output_gradient, |gradients| {
            let storage = fill(device, like.elem_count(), |gpu, output| {
                work(gpu, values, gradients, output)
            })?;
            let storage = Storage::Cuda(storage);
            let (shape, none) = (like.shape(), BackpropOp::none());
            Ok(Tensor::from_storage(storage, shape, none, false))
        })
    })
}

/// Runs `work` on the values of a contiguous tensor.
pub(super) fn with_view<R>(tensor: &Tensor, work: impl FnOnce(View<'_>) -> Result<R>) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) => work(view(storage, layout)?),
        _ => bail!("all tensors must be on one device"),
    }
}
