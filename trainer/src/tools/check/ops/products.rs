//! Products, convolutions and sums of a GPU against the CPU's.

use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::{conv2d, linear};
use crate::cuda::conv::{Backward, Forward, Plan};
use crate::cuda::device::{Buffer, CudaError, Element, View, ViewMut};
use crate::cuda::kernels::{self, ConvKernels};
use crate::net::config::Activation;
use crate::net::layer::LinearLayer;
use crate::net::shape::ConvShape;
use crate::tools::check::ops::{Ops, WORKSPACE};

/// The tensors of a forward pass.
fn tensors<'a>(
    input: View<'a>,
    weight: View<'a>,
    bias: Option<View<'a>>,
    output: ViewMut<'a>,
) -> Forward<'a> {
    Forward {
        input,
        weight,
        bias,
        output,
    }
}

impl Ops<'_> {
    pub(super) fn products(&mut self) -> Result<(), CudaError> {
        let t = self.tolerance().product;
        for (rows, inputs, outputs) in [(1, 8, 8), (24, 72, 40), (128, 512, 1000)] {
            let x = self.numbers(13, rows * inputs);
            let w = self.numbers(14, outputs * inputs);
            let dy = self.numbers(15, rows * outputs);
            let (mut y, mut dw) = (vec![0.0; dy.len()], vec![0.0; w.len()]);
            let (mut dx, mut db) = (vec![0.0; x.len()], vec![0.0; outputs]);
            let mut scratch = vec![0.0; linear::scratch_len(rows, outputs)];
            let zero = vec![0.0; outputs];
            linear::forward(
                inputs,
                &x,
                &w,
                Epilogue::new(&zero, None),
                &mut scratch,
                &mut y,
            );
            linear::backward_weight(inputs, &x, &dy, &mut dw, &mut db);
            linear::backward_input(inputs, &w, &dy, &mut dx);
            let [x, w, dy] = [&x, &w, &dy].map(|v| self.upload(v));
            let (x, w, dy) = (x?, w?, dy?);
            let layer = &LinearLayer {
                name: String::new(),
                inputs,
                outputs,
                activation: None,
            };
            let mut found = self.empty(y.len())?;
            kernels::product(
                self.device,
                layer,
                rows,
                x.view(),
                w.view(),
                found.view_mut(),
            )?;
            self.compare("fully connected", found.view(), &y, t)?;
            let mut found = self.device.buffer(Element::F32, dw.len())?;
            let (x, dy) = (x.view(), dy.view());
            kernels::product_weight(self.device, layer, rows, x, dy, found.view_mut())?;
            self.compare("fully connected, weight gradient", found.view(), &dw, t)?;
            let mut found = self.empty(dx.len())?;
            kernels::product_input(self.device, layer, rows, dy, w.view(), found.view_mut())?;
            self.compare("fully connected, input gradient", found.view(), &dx, t)?;
        }
        Ok(())
    }

    pub(super) fn convolutions(&mut self) -> Result<(), CudaError> {
        // conv1 as it is computed, and odd sides. At the paper's widths, since narrower ones are computed by other
        // kernels of cuDNN: a column of conv2, conv3 and its gradients, a column of conv4 and of conv5, and conv2
        // with both columns in one tensor.
        for (rows, side, inputs, outputs, kernel, stride, padding, groups) in [
            (3, 13, 48, 96, 3, 1, 0, 1),
            (5, 13, 64, 48, 3, 1, 1, 1),
            (3, 13, 48, 64, 3, 1, 1, 2),
            (8, 27, 48, 128, 5, 1, 2, 1),
            (8, 13, 256, 192, 3, 1, 1, 1),
            (8, 13, 256, 384, 3, 1, 1, 1),
            (8, 13, 192, 192, 3, 1, 1, 1),
            (8, 13, 192, 128, 3, 1, 1, 1),
            (8, 27, 96, 256, 5, 1, 2, 2),
        ] {
            let shape = ConvShape {
                height: side,
                width: side,
                inputs,
                outputs,
                kernel,
                stride,
                before: padding,
                after: padding,
                groups,
            };
            self.convolution(rows, &shape)?;
        }
        Ok(())
    }

    fn convolution(&mut self, rows: usize, shape: &ConvShape) -> Result<(), CudaError> {
        let s = shape;
        let x = self.numbers(16, rows * s.input_len());
        let w = self.numbers(17, s.weight_len());
        let b = self.numbers(18, s.outputs);
        let dy = self.numbers(19, rows * s.output_len());
        let mut scratch = vec![0.0; conv2d::scratch_len(s)];
        let (mut y, mut active) = (vec![0.0; dy.len()], vec![0.0; dy.len()]);
        let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
        let mut db = vec![0.0; s.outputs];
        for row in 0..rows {
            let image = &x[row * s.input_len()..][..s.input_len()];
            let own = row * s.output_len()..(row + 1) * s.output_len();
            let zero = vec![0.0; s.outputs];
            let (plain, target) = (Epilogue::new(&zero, None), &mut y[own.clone()]);
            conv2d::forward(s, image, &w, plain, &mut scratch, target);
            let relu = Epilogue::new(&b, Some(Activation::Relu));
            conv2d::forward(s, image, &w, relu, &mut scratch, &mut active[own.clone()]);
            let dy = &dy[own];
            conv2d::backward_weight(s, image, dy, &mut scratch, &mut dw, &mut db);
            let target = &mut dx[row * s.input_len()..][..s.input_len()];
            conv2d::backward_input(s, &w, dy, &mut scratch, target);
        }
        let [x, w, b, dy] = [&x, &w, &b, &dy].map(|v| self.upload(v));
        let (x, w, b, dy) = (x?, w?, b?, dy?);
        let (mut found, mut gpu_dx) = (self.empty(y.len())?, self.empty(dx.len())?);
        let mut gpu_dw = self.empty(dw.len())?;
        let mut space = self.device.buffer(Element::U8, WORKSPACE)?;
        let (gpu, t) = (self.device, self.tolerance().product);
        let (x, w, dy) = (x.view(), w.view(), dy.view());
        let backward = Backward {
            output_gradient: dy,
            input_gradient: Some(gpu_dx.view_mut()),
            weight_gradient: gpu_dw.view_mut(),
        };
        let bias = Some(b.view());
        let forward = tensors(x, w, bias, found.view_mut());
        let plan = Plan::new(gpu, rows, *s, forward, Some(backward), &mut space)?;
        let forward = tensors(x, w, None, found.view_mut());
        plan.forward(gpu, forward, space.view_mut())?;
        self.compare("convolution", found.view(), &y, t)?;
        if plan.is_fused() {
            let forward = tensors(x, w, bias, found.view_mut());
            plan.forward(gpu, forward, space.view_mut())?;
            self.compare("convolution with bias and ReLU", found.view(), &active, t)?;
        }
        plan.backward_filter(gpu, x, dy, gpu_dw.view_mut(), space.view_mut())?;
        self.compare("convolution, weight gradient", gpu_dw.view(), &dw, t)?;
        plan.backward_data(gpu, w, dy, gpu_dx.view_mut(), space.view_mut())?;
        self.compare("convolution, input gradient", gpu_dx.view(), &dx, t)
    }

    pub(super) fn moves(&mut self) -> Result<(), CudaError> {
        for (count, side, block) in [(1, 1, 1), (5, 11, 1), (96, 11, 4), (3, 8, 4), (2, 3, 4)] {
            let own = 3;
            let channels = match block {
                1 => self.device.input_channels(),
                _ => block * block * own,
            };
            let wide = ConvKernels {
                side,
                own,
                block,
                channels,
            };
            let values = self.numbers(20, count * side * side * own);
            let source = Buffer::from_host(&self.device.stream, &values)?;
            let mut copy = self.empty(wide.widened(values.len()))?;
            kernels::widen(self.device, wide, source.view(), copy.view_mut())?;
            let mut back = self.device.buffer(Element::F32, values.len())?;
            kernels::narrow(self.device, wide, copy.view(), back.view_mut())?;
            self.compare("conv1's kernels there and back", back.view(), &values, 0.0)?;
            let mut sum = self.device.buffer(Element::F32, values.len())?;
            let own = self.upload(&values)?;
            kernels::add_scaled(self.device, own.view(), 0.25, true, sum.view_mut())?;
            kernels::add_scaled(self.device, own.view(), 0.5, false, sum.view_mut())?;
            let expected: Vec<f32> = values.iter().map(|v| 0.25 * v + 0.5 * v).collect();
            self.compare("sums of gradients", sum.view(), &expected, 1e-6)?;
        }
        Ok(())
    }
}
