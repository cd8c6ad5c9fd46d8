//! Pools and normalisations.
//!
//! Contract: the kernels read and write inside their views alone, whose types and lengths are checked for the shape
//! and the rows before their pointers leave.

use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Element, View, ViewMut};
use crate::cuda::kernels::{Argument, blocks, check, count, size};
use crate::net::config::LrnConfig;
use crate::net::shape::MapShape;
use crate::net::shape::PoolShape;

/// The sizes of a pool over `rows` images, as its kernels take them.
fn pool_sizes(shape: &PoolShape, rows: usize) -> [Argument; 8] {
    [
        rows,
        shape.height,
        shape.width,
        shape.channels,
        shape.kernel,
        shape.stride,
        shape.output_height(),
        shape.output_width(),
    ]
    .map(size)
}

/// The constants of a normalisation whose sum is over `neighbours` values.
fn constants(config: &LrnConfig, neighbours: usize) -> [Argument; 4] {
    [
        size(config.size),
        Argument::F32(config.k),
        Argument::F32(config.alpha / neighbours as f32),
        Argument::F32(config.beta),
    ]
}

fn with<const N: usize>(first: [Argument; N], rest: &[Argument]) -> Vec<Argument> {
    first.into_iter().chain(rest.iter().copied()).collect()
}

impl Gpu {
    /// Writes the largest value of every window, and where in the window it stood.
    pub(crate) fn max_pool(
        &self,
        shape: &PoolShape,
        rows: usize,
        input: View<'_>,
        output: ViewMut<'_>,
        winners: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        assert!(shape.kernel <= 16, "places of a window fit into a byte");
        check(input, output.element, rows * shape.input_len());
        check(output.view(), output.element, rows * shape.output_len());
        check(winners.view(), Element::U8, output.len);
        let views = [input.into(), (&output).into(), (&winners).into()];
        let arguments = with(views, &pool_sizes(shape, rows));
        let name = ("max_pool", Some(output.element));
        // SAFETY: the kernel's arguments; the views have the sizes of the shape.
        unsafe { self.launch(name, (blocks(output.len), 1), &arguments) }
    }

    /// Writes the gradient of the images: every window's goes to its winner.
    pub(crate) fn max_pool_backward(
        &self,
        shape: &PoolShape,
        rows: usize,
        winners: View<'_>,
        gradient: View<'_>,
        input_gradient: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let element = input_gradient.element;
        check(winners, Element::U8, rows * shape.output_len());
        check(gradient, element, winners.len);
        check(input_gradient.view(), element, rows * shape.input_len());
        let views = [winners.into(), gradient.into(), (&input_gradient).into()];
        let arguments = with(views, &pool_sizes(shape, rows));
        let name = ("max_pool_backward", Some(element));
        // SAFETY: the kernel's arguments; the views have the sizes of the shape.
        unsafe { self.launch(name, (blocks(input_gradient.len), 1), &arguments) }
    }

    /// Writes the normalised values; `channels` follow each other at each pixel.
    pub(crate) fn lrn(
        &self,
        config: &LrnConfig,
        channels: usize,
        input: View<'_>,
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        check(input, output.element, output.len);
        assert_eq!(output.len % channels, 0, "whole pixels");
        let views = [input.into(), (&output).into()];
        let sizes = [count(output.len), size(channels)];
        let arguments = with(views, &with(sizes, &constants(config, config.size)));
        let name = ("lrn", Some(output.element));
        // SAFETY: the kernel's arguments; both views have the length given.
        unsafe { self.launch(name, (blocks(output.len), 1), &arguments) }
    }

    /// Writes the gradient of the values.
    pub(crate) fn lrn_backward(
        &self,
        config: &LrnConfig,
        channels: usize,
        input: View<'_>,
        gradient: View<'_>,
        input_gradient: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (len, element) = (input_gradient.len, input_gradient.element);
        check(input, element, len);
        check(gradient, element, len);
        assert_eq!(len % channels, 0, "whole pixels");
        let views = [input.into(), gradient.into(), (&input_gradient).into()];
        let sizes = [count(len), size(channels)];
        let arguments = with(views, &with(sizes, &constants(config, config.size)));
        // SAFETY: the kernel's arguments; the three views have the length given.
        unsafe {
            self.launch(
                ("lrn_backward", Some(element)),
                (blocks(len), 1),
                &arguments,
            )
        }
    }

    /// Writes the values normalised within each channel's map.
    pub(crate) fn map_norm(
        &self,
        config: &LrnConfig,
        shape: &MapShape,
        rows: usize,
        input: View<'_>,
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        check(input, output.element, rows * shape.len());
        check(output.view(), output.element, rows * shape.len());
        let views = [input.into(), (&output).into()];
        let sizes = [rows, shape.height, shape.width, shape.channels].map(size);
        let square = config.size * config.size;
        let arguments = with(views, &with(sizes, &constants(config, square)));
        let name = ("map_norm", Some(output.element));
        // SAFETY: the kernel's arguments; both views have the sizes of the shape.
        unsafe { self.launch(name, (blocks(output.len), 1), &arguments) }
    }

    /// Writes the gradient of the values, given them and that of the output.
    pub(crate) fn map_norm_backward(
        &self,
        config: &LrnConfig,
        shape: &MapShape,
        rows: usize,
        (input, gradient): (View<'_>, View<'_>),
        input_gradient: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (len, element) = (rows * shape.len(), input_gradient.element);
        check(input, element, len);
        check(gradient, element, len);
        check(input_gradient.view(), element, len);
        let views = [input.into(), gradient.into(), (&input_gradient).into()];
        let sizes = [rows, shape.height, shape.width, shape.channels].map(size);
        let square = config.size * config.size;
        let arguments = with(views, &with(sizes, &constants(config, square)));
        let name = ("map_norm_backward", Some(element));
        // SAFETY: the kernel's arguments; the three views have the sizes of the shape.
        unsafe { self.launch(name, (blocks(len), 1), &arguments) }
    }
}
