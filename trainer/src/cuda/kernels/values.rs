//! Kernels over plain values: bias, activation, dropout, casts, sums.
//!
//! Contract: the kernels read and write inside their views alone, whose types and lengths are checked before their
//! pointers leave; a bias that is missing is a null pointer.

use shardmill_formats::{Philox, Stream};

use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Element, View, ViewMut};
use crate::cuda::kernels::{Argument, BLOCK, blocks, check, count, size};
use crate::net::MaskKey;
use crate::net::config::Activation;

/// Rows that one thread sums up of a bias gradient.
const ROWS: usize = 256;

/// Most parts that a bias gradient is summed up in.
const PARTS: usize = 512;

/// Channels of a parameter, and the channels that it is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channels {
    pub(crate) few: usize,
    pub(crate) many: usize,
}

impl Channels {
    /// Values with the added channels, of `len` without.
    pub(crate) const fn padded_len(self, len: usize) -> usize {
        len / self.few * self.many
    }
}

/// An activation as the kernels number them.
fn number(function: Option<Activation>) -> Argument {
    Argument::U32(match function {
        None => 0,
        Some(Activation::Relu) => 1,
        Some(Activation::Tanh) => 2,
        Some(Activation::Sigmoid) => 3,
    })
}

impl Gpu {
    /// Adds a bias, one value for each of the last dimension, and applies the activation, in place.
    pub(crate) fn bias_activation(
        &self,
        values: ViewMut<'_>,
        bias: Option<View<'_>>,
        function: Option<Activation>,
    ) -> Result<(), CudaError> {
        let channels = bias.map_or(1, |bias| bias.len);
        assert_eq!(values.len % channels, 0, "whole rows");
        if let Some(bias) = bias {
            check(bias, Element::F32, channels);
        }
        let arguments = [
            (&values).into(),
            bias.map_or(Argument::Pointer(0), Argument::from),
            count(values.len),
            size(channels),
            number(function),
        ];
        let name = ("bias_activation", Some(values.element));
        // SAFETY: the kernel's arguments; a missing bias is a null pointer, which it does not follow.
        unsafe { self.launch(name, (blocks(values.len), 1), &arguments) }
    }

    /// Turns the gradient of an activation's output into that of its input, given the output.
    pub(crate) fn activation_backward(
        &self,
        function: Activation,
        output: View<'_>,
        gradient: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        check(output, gradient.element, gradient.len);
        let arguments = [
            output.into(),
            (&gradient).into(),
            count(gradient.len),
            number(Some(function)),
        ];
        let name = ("activation_backward", Some(gradient.element));
        // SAFETY: the kernel's arguments; both views have the length given.
        unsafe { self.launch(name, (blocks(gradient.len), 1), &arguments) }
    }

    /// Values of scratch for a bias gradient of `rows` rows.
    pub(crate) fn bias_scratch(&self, rows: usize, channels: usize) -> usize {
        parts(rows) * channels
    }

    /// Writes the sums over the rows of a gradient, in f32, in an order that depends on the sizes
    /// alone.
    pub(crate) fn bias_gradient(
        &self,
        gradient: View<'_>,
        sums: ViewMut<'_>,
        scratch: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let channels = sums.len;
        assert_eq!(gradient.len % channels, 0, "whole rows");
        check(sums.view(), Element::F32, channels);
        let rows = gradient.len / channels;
        let parts = parts(rows);
        let scratch = scratch.head(parts * channels);
        check(scratch.view(), Element::F32, parts * channels);
        let wide = channels.div_ceil(BLOCK as usize) as u32;
        let partial = [
            gradient.into(),
            (&scratch).into(),
            size(rows),
            size(channels),
            size(rows.div_ceil(parts)),
        ];
        let whole = [
            scratch.view().into(),
            (&sums).into(),
            size(parts),
            size(channels),
        ];
        let name = ("bias_partial", Some(gradient.element));
        // SAFETY: the kernels' arguments; the first writes a row of `channels` sums for each part.
        unsafe {
            self.launch(name, (wide, parts as u32), &partial)?;
            self.launch(("bias_final", None), (wide, 1), &whole)
        }
    }

    /// Multiplies values by the mask of `key`, of which they begin at place `first`: see
    /// [`dropout::apply`](crate::cpu::ops::dropout::apply), though any place will do here.
    pub(crate) fn dropout(
        &self,
        rate: f32,
        (key, first): (MaskKey, usize),
        input: View<'_>,
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        check(input, output.element, output.len);
        // The key that `Philox::derive` makes of the step.
        let [key0, key1, ..] = Philox::new(key.seed, Stream::Dropout).block(key.step, u32::MAX);
        let threshold = (f64::from(rate) * 4_294_967_296.0) as u32;
        let arguments = [
            input.into(),
            (&output).into(),
            count(output.len),
            Argument::U32(threshold),
            Argument::F32(1.0 / (1.0 - rate)),
            Argument::U32(key0),
            Argument::U32(key1),
            Argument::U32(key.layer),
            count(first),
        ];
        let name = ("dropout", Some(output.element));
        let grid = (blocks(output.len.div_ceil(4)), 1);
        // SAFETY: the kernel's arguments; both views have the length given.
        unsafe { self.launch(name, grid, &arguments) }
    }

    /// Copies values into another type, f32 or bf16, or into the same.
    pub(crate) fn cast(&self, input: View<'_>, output: ViewMut<'_>) -> Result<(), CudaError> {
        check(input, input.element, output.len);
        let name = match (input.element, output.element) {
            (Element::F32, Element::Bf16) => "cast_f32_bf16",
            (Element::Bf16, Element::F32) => "cast_bf16_f32",
            (same, other) if same == other => return self.copy(input, output),
            (from, to) => unreachable!("no cast from {from:?} to {to:?}"),
        };
        let arguments = [input.into(), (&output).into(), count(output.len)];
        // SAFETY: the kernel's arguments; both views have the length given.
        unsafe { self.launch((name, None), (blocks(output.len), 1), &arguments) }
    }

    /// Writes f32 pixels of few channels as pixels of many in the type of activations, the added ones
    /// zero.
    pub(crate) fn widen(
        &self,
        Channels { few, many }: Channels,
        input: View<'_>,
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let pixels = input.len / few;
        check(input, Element::F32, pixels * few);
        check(output.view(), self.element(), pixels * many);
        let arguments = [
            input.into(),
            (&output).into(),
            count(pixels),
            size(few),
            size(many),
        ];
        let name = ("widen", Some(output.element));
        // SAFETY: the kernel's arguments; the views hold as many pixels.
        unsafe { self.launch(name, (blocks(output.len), 1), &arguments) }
    }

    /// Writes the first few channels of pixels of many as f32.
    pub(crate) fn narrow(
        &self,
        Channels { few, many }: Channels,
        input: View<'_>,
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let pixels = output.len / few;
        check(input, self.element(), pixels * many);
        check(output.view(), Element::F32, pixels * few);
        let arguments = [
            input.into(),
            (&output).into(),
            count(pixels),
            size(few),
            size(many),
        ];
        let name = ("narrow", Some(input.element));
        // SAFETY: the kernel's arguments; the views hold as many pixels.
        unsafe { self.launch(name, (blocks(output.len), 1), &arguments) }
    }

    /// `sum = sum + share * values`, or `share * values` where this is the first.
    pub(crate) fn add_scaled(
        &self,
        values: View<'_>,
        share: f32,
        first: bool,
        sum: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        check(values, values.element, sum.len);
        check(sum.view(), Element::F32, sum.len);
        let arguments = [
            values.into(),
            (&sum).into(),
            Argument::F32(share),
            Argument::U32(u32::from(first)),
            count(sum.len),
        ];
        let name = ("add_scaled", Some(values.element));
        // SAFETY: the kernel's arguments; both views have the length given.
        unsafe { self.launch(name, (blocks(sum.len), 1), &arguments) }
    }
}

/// Parts that the rows of a bias gradient are summed up in.
fn parts(rows: usize) -> usize {
    rows.div_ceil(ROWS).clamp(1, PARTS)
}
