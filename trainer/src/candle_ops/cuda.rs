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
use crate::cuda::conv::{BackwardTrial, Geometry, Plan, Trial};
use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Buffer, Element, View, ViewMut};
use crate::net::MaskKey;
use crate::net::config::{Activation, LrnConfig};
use crate::net::shape::{ConvShape, PoolShape};

/// Bytes of workspace for a convolution's algorithms.
const WORKSPACE: usize = 256 << 20;

thread_local! {
    /// This thread's handles on each device: cuDNN's belong to a thread.
    static CARDS: RefCell<Vec<(DeviceId, Rc<Gpu>)>> = const { RefCell::new(Vec::new()) };
}

fn failed(error: CudaError) -> Error {
    Error::wrap(error)
}

/// The handles on a tensor's device.
fn card(device: &CudaDevice) -> Result<Rc<Gpu>> {
    CARDS.with_borrow_mut(|cards| {
        if let Some((_, gpu)) = cards.iter().find(|(id, _)| *id == device.id()) {
            return Ok(Rc::clone(gpu));
        }
        let gpu = Gpu::on(device.cuda_stream(), Precision::F32, false).map_err(failed)?;
        cards.push((device.id(), Rc::clone(&gpu)));
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
    let gpu = card(device)?;
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
        bail!("the operation runs on a card here")
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
        gpu.max_pool(shape, rows, images, output, winners.view_mut())
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
        gpu.max_pool(shape, rows, images, into, places)?;
        gpu.max_pool_backward(shape, rows, winners.view(), dy, output)
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
        gpu.lrn(config, channels, images, output)
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
        gpu.lrn_backward(config, channels, images, dy, output)
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
        gpu.dropout(rate, (key, 0), values, output)
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
    let gpu = card(&storage.device)?;
    let score = || {
        let labels = Buffer::from_host(&gpu.stream, labels)?;
        let mut sums = gpu.buffer(Element::F64, 3)?;
        let mut scratch = gpu.buffer(Element::F32, gpu.score_scratch(labels.len()))?;
        let (into, space) = (sums.view_mut(), scratch.view_mut());
        gpu.score(
            (classes, labels.len()),
            logits,
            labels.view(),
            None,
            into,
            space,
        )?;
        sums.read::<f64>(3)
    };
    let sums = score().map_err(failed)?;
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
        let labels = Buffer::from_host(&gpu.stream, labels)?;
        let mut sums = gpu.buffer(Element::F64, 3)?;
        let mut scratch = gpu.buffer(Element::F32, gpu.score_scratch(labels.len()))?;
        let (into, space) = (sums.view_mut(), scratch.view_mut());
        gpu.score(
            (classes, labels.len()),
            logits,
            labels.view(),
            Some(output),
            into,
            space,
        )
    })
}

/// The convolution as cuDNN knows it.
fn geometry(shape: &ConvShape, rows: usize) -> Result<Geometry> {
    let s = shape;
    if s.before != s.after {
        bail!(
            "on a card a convolution pads both sides alike: pad the images first, and give a shape \
             without padding"
        );
    }
    Ok(Geometry {
        rows,
        height: s.height,
        width: s.width,
        inputs: s.inputs,
        outputs: s.outputs,
        kernel: s.kernel,
        stride: s.stride,
        padding: s.before,
        groups: s.groups,
    })
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
    fill(device, rows * shape.output_len(), |gpu, mut output| {
        let mut space = gpu.buffer(Element::U8, WORKSPACE)?;
        let trial = Trial {
            input: images,
            weight,
            bias: None,
            output: output.again(),
            backward: None,
        };
        let plan = Plan::new(gpu, geometry, trial, &mut space)?;
        plan.forward(gpu, images, weight, None, output.again(), space.view_mut())?;
        gpu.bias_activation(output, Some(bias), function)
    })
}

/// The gradients of its images, weight and bias.
pub(super) fn conv2d_backward(
    [images, weight, bias]: [&Tensor; 3],
    (output, output_gradient): (&Tensor, &Tensor),
    shape: &ConvShape,
    function: Option<Activation>,
) -> Result<[Tensor; 3]> {
    let rows = images.elem_count() / shape.input_len();
    let geometry = geometry(shape, rows)?;
    // The gradient before the activation.
    let dy = gradient(output, output_gradient, |gpu, output, dy, mut into| {
        gpu.copy(dy, into.again())?;
        match function {
            Some(function) => gpu.activation_backward(function, output, into),
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
        let trial = Trial {
            input: x,
            weight: w,
            bias: None,
            output: y.view_mut(),
            backward: Some(BackwardTrial {
                output_gradient: dy,
                input_gradient: Some(dx.view_mut()),
                weight_gradient: dw.view_mut(),
            }),
        };
        Plan::new(gpu, geometry, trial, space)
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
        let need = gpu.bias_scratch(dy.len / bias.len, bias.len);
        let mut scratch = gpu.buffer(Element::F32, need)?;
        gpu.bias_gradient(dy, into, scratch.view_mut())
    })?;
    Ok([dx, dw, db])
}
