//! What the operations share on a CUDA device: its handles, the plans of convolutions with one workspace, and views
//! of candle's tensors.
//!
//! Work goes through the stream of the tensors' device. Tensors are f32 and contiguous, as on the CPU;
//! products take all bits of their factors.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;

use candle_core::cuda_backend::DeviceId;
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, Device, Error, Layout, Result, Storage, Tensor, bail};

use crate::compute::Precision;
use crate::cuda::conv::Plan;
use crate::cuda::device::{Buffer, CudaError, Device as Gpu, Element, View, ViewMut};
use crate::net::shape::ConvShape;

thread_local! {
    /// This thread's handles on each GPU: cuDNN's belong to a thread.
    static GPUS: RefCell<Vec<(DeviceId, Rc<Handles>)>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of workspace for the algorithms of convolutions, which stay allocated once there was one.
const WORKSPACE: usize = 256 << 20;

/// Most plans that are kept; a program whose batches have ever other sizes begins again after so many.
const MOST_PLANS: usize = 1000;

/// A convolution: its shape, its rows, and whether it has backward passes.
pub(super) type PlanKey = (ConvShape, usize, bool);

/// A thread's handles on a GPU, and what is kept for convolutions. The GPU comes last, so that it is closed last.
pub(super) struct Handles {
    plans: RefCell<HashMap<PlanKey, Rc<Plan>>>,
    workspace: RefCell<Option<Buffer>>,
    gpu: Rc<Gpu>,
}

impl Deref for Handles {
    type Target = Gpu;

    fn deref(&self) -> &Gpu {
        &self.gpu
    }
}

impl Handles {
    /// Runs `work` with the plan of a convolution, which `plan` makes where there is none yet: a search for
    /// algorithms at every call would take longer than the call.
    pub(super) fn with_plan(
        &self,
        key: PlanKey,
        plan: impl FnOnce(&mut Buffer) -> std::result::Result<Plan, CudaError>,
        work: impl FnOnce(&Plan, ViewMut<'_>) -> std::result::Result<(), CudaError>,
    ) -> std::result::Result<(), CudaError> {
        let mut workspace = self.workspace.borrow_mut();
        let workspace = match &mut *workspace {
            Some(there) => there,
            none => none.insert(self.gpu.buffer(Element::U8, WORKSPACE)?),
        };
        let known = self.plans.borrow().get(&key).cloned();
        let plan = match known {
            Some(known) => known,
            None => {
                let made = Rc::new(plan(workspace)?);
                let mut plans = self.plans.borrow_mut();
                if plans.len() >= MOST_PLANS {
                    plans.clear();
                }
                plans.insert(key, Rc::clone(&made));
                made
            }
        };
        work(&plan, workspace.view_mut())
    }
}

pub(super) fn failed(error: CudaError) -> Error {
    Error::wrap(error)
}

/// The handles on a tensor's device.
pub(super) fn handles(device: &CudaDevice) -> Result<Rc<Handles>> {
    GPUS.with_borrow_mut(|gpus| {
        if let Some((_, gpu)) = gpus.iter().find(|(id, _)| *id == device.id()) {
            return Ok(Rc::clone(gpu));
        }
        let gpu = Gpu::on(device, Precision::F32, false).map_err(failed)?;
        let handles = Rc::new(Handles {
            plans: RefCell::default(),
            workspace: RefCell::default(),
            gpu,
        });
        gpus.push((device.id(), Rc::clone(&handles)));
        Ok(handles)
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
    work: impl FnOnce(&Handles, ViewMut<'_>) -> std::result::Result<(), CudaError>,
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
    work: impl FnOnce(&Handles, View<'_>, View<'_>, ViewMut<'_>) -> std::result::Result<(), CudaError>,
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
