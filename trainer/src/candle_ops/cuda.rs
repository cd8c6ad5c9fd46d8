//! The kernels of a CUDA device on candle's tensors.
//!
//! Work goes through the stream of the tensors' device. Tensors are f32 and contiguous, as on the CPU;
//! products take all bits of their factors.

use std::cell::RefCell;
use std::rc::Rc;

use candle_core::cuda_backend::DeviceId;
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, Device, Error, Layout, Result, Storage, Tensor, bail};

use crate::compute::Precision;
use crate::cuda::conv::{Backward, Forward, Geometry, Plan};
use crate::cuda::device::{Buffer, CudaError, Device as Gpu, Element, View, ViewMut, copy};
use crate::cuda::kernels::{self, Loss};
use crate::net::MaskKey;
use crate::net::config::{Activation, LrnConfig};
use crate::net::shape::{ConvShape, PoolShape};

/// Bytes of workspace for a convolution's algorithms.
const WORKSPACE: usize = 256 << 20;

thread_local! {
    /// This thread's handles on each GPU: cuDNN's belong to a thread.
    static GPUS: RefCell<Vec<(DeviceId, Rc<Gpu>)>> = const { RefCell::new(Vec::new()) };
}

fn failed(error: CudaError) -> Error {
    Error::wrap(error)
}

/// The handles on a tensor's device.
fn handles(device: &CudaDevice) -> Result<Rc<Gpu>> {
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
fn view<'a>(storage: &'a CudaStorage, layout: &Layout) -> Result<View<'a>> {
    let slice = storage.as_cuda_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(View::of(slice, start..end)),
        None => bail!("the operation needs contiguous f32 values"),
    }
}

/// A new f32 tensor's memory, filled by `work`.
fn fill(
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
fn gradient(
    like: &Tensor,
    output_gradient: &Tensor,
    work: impl FnOnce(&Gpu, View<'_>, View<'_>, ViewMut<'_>) -> std::result::Result<(), CudaError>,
) -> Result<Tensor> {
    let (like, output_gradient) = (like.contiguous()?, output_gradient.contiguous()?);
    let Device::Cuda(device) = like.device() else {
        bail!("the operation runs on a GPU here")
    };
    let (values, values_layout) = like.storage_and_layout();
    let (gradients, gradients_layout) = output_gradient.storage_and_layout();
    let (Storage::Cuda(values), Storage::Cuda(gradients)) = (&*values, &*gradients) else {
        bail!("all tensors must be on one device")
    };
    let values = view(values, values_layout)?;
    let gradients = view(gradients, gradients_layout)?;
    let storage = fill(device, like.elem_count(), |gpu, output| {
        work(gpu, values, gradients, output)
    })?;
    let storage = Storage::Cuda(storage);
    Ok(Tensor::from_storage(
        storage,
        like.shape(),
        BackpropOp::none(),
        false,
    ))
}

/// See [`max_pool2d`](crate::candle_ops::max_pool2d).
pub(super) fn max_pool2d(
    storage: &CudaStorage,
    layout: &Layout,
    shape: &PoolShape,
) -> Result<CudaStorage> {
    let images = view(storage, layout)?;
    let rows = images.len / shape.input_len();
    fill(&storage.device, rows * shape.output_len(), |gpu, output| {
        let mut winners = gpu.buffer(Element::U8, output.len)?;
        kernels::max_pool(gpu, shape, rows, images, output, winners.view_mut())
    })
}

/// The gradient of its images.
pub(super) fn max_pool2d_backward(
    images: &Tensor,
    output_gradient: &Tensor,
    shape: &PoolShape,
) -> Result<Tensor> {
    gradient(images, output_gradient, |gpu, images, dy, output| {
        let rows = images.len / shape.input_len();
        let mut winners = gpu.buffer(Element::U8, dy.len)?;
        let mut largest = gpu.buffer(Element::F32, dy.len)?;
        let (into, places) = (largest.view_mut(), winners.view_mut());
        kernels::max_pool(gpu, shape, rows, images, into, places)?;
        kernels::max_pool_backward(gpu, shape, rows, winners.view(), dy, output)
    })
}

/// See [`lrn`](crate::candle_ops::lrn).
pub(super) fn lrn(
    storage: &CudaStorage,
    layout: &Layout,
    config: &LrnConfig,
    channels: usize,
) -> Result<CudaStorage> {
    let images = view(storage, layout)?;
    fill(&storage.device, images.len, |gpu, output| {
        kernels::lrn(gpu, config, channels, images, output)
    })
}

/// The gradient of its images.
pub(super) fn lrn_backward(
    images: &Tensor,
    output_gradient: &Tensor,
    config: &LrnConfig,
    channels: usize,
) -> Result<Tensor> {
    gradient(images, output_gradient, |gpu, images, dy, output| {
        kernels::lrn_backward(gpu, config, channels, images, dy, output)
    })
}

/// See [`dropout`](crate::candle_ops::dropout).
pub(super) fn dropout(
    storage: &CudaStorage,
    layout: &Layout,
    rate: f32,
    key: MaskKey,
) -> Result<CudaStorage> {
    let values = view(storage, layout)?;
    fill(&storage.device, values.len, |gpu, output| {
        kernels::dropout(gpu, rate, key, 0, values, output)
    })
}

/// See [`softmax_cross_entropy`](crate::candle_ops::softmax_cross_entropy).
pub(super) fn cross_entropy(
    storage: &CudaStorage,
    layout: &Layout,
    classes: usize,
    labels: &[i64],
) -> Result<CudaStorage> {
    let logits = view(storage, layout)?;
    let gpu = handles(&storage.device)?;
    let sums = score(&gpu, classes, labels, logits, None);
    let sums = sums.and_then(|sums| sums.read::<f64>(3)).map_err(failed)?;
    let loss = (sums[0] / labels.len() as f64) as f32;
    let values = [loss, sums[1] as f32, sums[2] as f32];
    let slice = storage.device.clone_htod(&values)?;
    Ok(CudaStorage::wrap_cuda_slice(slice, storage.device.clone()))
}

/// The gradient of its logits, not yet times that of the loss.
pub(super) fn cross_entropy_backward(
    logits: &Tensor,
    classes: usize,
    labels: &[i64],
) -> Result<Tensor> {
    gradient(logits, logits, |gpu, logits, _, output| {
        score(gpu, classes, labels, logits, Some(output)).map(drop)
    })
}

/// The sum of the losses and the numbers of hits; writes the gradient if it is needed.
fn score(
    gpu: &Gpu,
    classes: usize,
    labels: &[i64],
    logits: View<'_>,
    gradient: Option<ViewMut<'_>>,
) -> std::result::Result<Buffer, CudaError> {
    let images = labels.len();
    let labels = Buffer::from_host(&gpu.stream, labels)?;
    let mut sums = gpu.buffer(Element::F64, 3)?;
    let mut scratch = gpu.buffer(Element::F32, kernels::loss_scratch(images))?;
    let loss = Loss {
        classes,
        images,
        logits,
        labels: labels.view(),
        gradient,
        sums: sums.view_mut(),
        scratch: scratch.view_mut(),
    };
    kernels::cross_entropy(gpu, loss)?;
    Ok(sums)
}

/// The convolution as cuDNN knows it.
fn geometry(shape: &ConvShape, rows: usize) -> Result<Geometry> {
    if shape.before != shape.after {
        bail!(
            "on a GPU a convolution pads both sides alike: pad the images first, and give a shape \
             without padding"
        );
    }
    Ok(Geometry::new(rows, *shape))
}

/// See [`conv2d`](crate::candle_ops::conv2d).
pub(super) fn conv2d(
    [images, weight, bias]: [(&CudaStorage, &Layout); 3],
    shape: &ConvShape,
    function: Option<Activation>,
) -> Result<CudaStorage> {
    let device = &images.0.device;
    let [images, weight, bias] = [images, weight, bias].map(|(s, l)| view(s, l));
    let (images, weight, bias) = (images?, weight?, bias?);
    let rows = images.len / shape.input_len();
    let geometry = geometry(shape, rows)?;
    fill(device, rows * shape.output_len(), |gpu, output| {
        let mut space = gpu.buffer(Element::U8, WORKSPACE)?;
        let mut tensors = Forward {
            input: images,
            weight,
            bias: None,
            output,
        };
        let plan = Plan::new(gpu, geometry, tensors.reborrow(), None, &mut space)?;
        plan.forward(gpu, tensors.reborrow(), space.view_mut())?;
        let output = tensors.output;
        kernels::bias_activation(gpu, output, Some(bias), function)
    })
}

/// The gradients of its images, weight and bias.
pub(super) fn conv2d_backward(
    [images, weight, bias]: [&Tensor; 3],
    output: &Tensor,
    output_gradient: &Tensor,
    shape: &ConvShape,
    function: Option<Activation>,
) -> Result<[Tensor; 3]> {
    let rows = images.elem_count() / shape.input_len();
    let geometry = geometry(shape, rows)?;
    // The gradient before the activation.
    let dy = gradient(output, output_gradient, |gpu, output, dy, mut into| {
        copy(&gpu.stream, dy, into.reborrow())?;
        match function {
            Some(function) => kernels::activation_backward(gpu, function, output, into),
            None => Ok(()),
        }
    })?;
    // Each pass is planned with the others' results as the place to try algorithms on.
    let plan = |gpu: &Gpu, x: View<'_>, w: View<'_>, dy: View<'_>, space: &mut Buffer| {
        let mut scratch = [geometry.output_len(), x.len, w.len]
            .map(|len| gpu.buffer(Element::F32, len))
            .into_iter()
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let [y, dx, dw] = &mut scratch[..] else {
            unreachable!("three were made")
        };
        let forward = Forward {
            input: x,
            weight: w,
            bias: None,
            output: y.view_mut(),
        };
        let backward = Backward {
            output_gradient: dy,
            input_gradient: Some(dx.view_mut()),
            weight_gradient: dw.view_mut(),
        };
        Plan::new(gpu, geometry, forward, Some(backward), space)
    };
    let (weight, images) = (weight.contiguous()?, images.contiguous()?);
    let dx = {
        let (storage, layout) = weight.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else {
            bail!("all tensors must be on one device")
        };
        let w = view(storage, layout)?;
        gradient(&images, &dy, |gpu, x, dy, into| {
            let mut space = gpu.buffer(Element::U8, WORKSPACE)?;
            let plan = plan(gpu, x, w, dy, &mut space)?;
            plan.backward_data(gpu, w, dy, into, space.view_mut())
        })?
    };
    let dw = {
        let (storage, layout) = images.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else {
            bail!("all tensors must be on one device")
        };
        let x = view(storage, layout)?;
        gradient(&weight, &dy, |gpu, w, dy, into| {
            let mut space = gpu.buffer(Element::U8, WORKSPACE)?;
            let plan = plan(gpu, x, w, dy, &mut space)?;
            plan.backward_filter(gpu, x, dy, into, space.view_mut())
        })?
    };
    let db = gradient(bias, &dy, |gpu, bias, dy, into| {
        let need = kernels::bias_scratch(dy.len / bias.len, bias.len);
        let mut scratch = gpu.buffer(Element::F32, need)?;
        kernels::bias_gradient(gpu, dy, into, scratch.view_mut())
    })?;
    Ok([dx, dw, db])
}
