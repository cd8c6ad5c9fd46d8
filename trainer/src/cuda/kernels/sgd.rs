//! One step of all parameters, and the length of the gradient.
//!
//! Contract: the card's table holds the pointers of the views given with the call, whose types and lengths
//! are checked before; their memory is the caller's for as long as the views live.

use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Buffer, Element, View, ViewMut};
use crate::cuda::kernels::{Argument, check, size};
use crate::cuda::network::weights::Weight;
use crate::net::sgd::Rate;

/// Bytes of an entry of the table: four pointers and a length, two f32, two u32.
const ENTRY: usize = 56;

/// Blocks that stride over a parameter's values.
const BLOCKS: usize = 512;

/// Blocks that a parameter's squares are summed up in.
const PARTS: usize = 64;

/// What moves one parameter.
pub(crate) struct SgdEntry<'a> {
    pub(crate) weight: ViewMut<'a>,
    pub(crate) velocity: ViewMut<'a>,
    pub(crate) gradient: View<'a>,
    /// A bf16 copy, written in the same pass.
    pub(crate) copy: Option<ViewMut<'a>>,
    /// `None`: the parameter stays.
    pub(crate) rate: Option<Rate>,
}

/// The entries as the kernels read them, on the card.
pub(crate) struct SgdTable {
    /// The bytes that the card has.
    written: Vec<u8>,
    entries: Buffer,
    /// A sum for each part of each parameter.
    partial: Buffer,
}

impl SgdTable {
    pub(crate) fn new(gpu: &Gpu, weights: &[Weight]) -> Result<Self, CudaError> {
        Ok(Self {
            written: Vec::new(),
            entries: gpu.buffer(Element::U8, weights.len() * ENTRY)?,
            partial: gpu.buffer(Element::F64, weights.len() * PARTS)?,
        })
    }
}

impl SgdEntry<'_> {
    /// As the kernels' struct has it, in the card's byte order.
    fn bytes(&self) -> Vec<u8> {
        let len = self.weight.len;
        check(self.weight.view(), Element::F32, len);
        check(self.velocity.view(), Element::F32, len);
        check(self.gradient, self.gradient.element, len);
        let bf16 = match self.gradient.element {
            Element::F32 => 0_u32,
            Element::Bf16 => 1,
            other => unreachable!("gradients are f32 or bf16, not {other:?}"),
        };
        if let Some(copy) = &self.copy {
            check(copy.view(), Element::Bf16, len);
        }
        let copy = self.copy.as_ref().map_or(0, |copy| copy.pointer);
        let rate = self.rate.unwrap_or(Rate {
            lr: 0.0,
            decay: 0.0,
        });
        let mut bytes = Vec::with_capacity(ENTRY);
        for number in [
            self.weight.pointer,
            self.velocity.pointer,
            self.gradient.pointer,
            copy,
            len as u64,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        // The CPU's update multiplies these two first, so the kernel gets the product.
        bytes.extend(rate.lr.to_le_bytes());
        bytes.extend((rate.decay * rate.lr).to_le_bytes());
        bytes.extend(bf16.to_le_bytes());
        bytes.extend(u32::from(self.rate.is_some()).to_le_bytes());
        bytes
    }
}

impl Gpu {
    /// Adds the square of the gradient's length to `norm`, and moves every parameter that has a rate:
    /// `v <- momentum v - decay lr w - lr g; w <- w + v`.
    pub(crate) fn sgd(
        &self,
        table: &mut SgdTable,
        momentum: f32,
        entries: &[SgdEntry<'_>],
        norm: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        check(norm.view(), Element::F64, 1);
        let bytes: Vec<u8> = entries.iter().flat_map(SgdEntry::bytes).collect();
        assert!(bytes.len() <= table.entries.len(), "a table for as many");
        // Rates change with the epochs; the rest never does.
        if bytes != table.written {
            self.settle()?;
            table.entries.write(&bytes)?;
            table.written = bytes;
        }
        let parameters = entries.len();
        let entries = table.entries.view();
        let mut partial = table.partial.view_mut().head(parameters * PARTS);
        let squares = [
            entries.into(),
            size(parameters),
            (&partial.again()).into(),
            size(PARTS),
        ];
        let whole = [
            partial.view().into(),
            (&norm).into(),
            size(parameters * PARTS),
        ];
        let update = [entries.into(), size(parameters), Argument::F32(momentum)];
        let rows = parameters as u32;
        // SAFETY: the kernels' arguments; the entries on the card are those that were checked above,
        // and their memory is the caller's for as long as the views live.
        unsafe {
            self.launch(("norm_partial", None), (PARTS as u32, rows), &squares)?;
            self.launch(("norm_final", None), (1, 1), &whole)?;
            self.launch(("sgd", None), (BLOCKS as u32, rows), &update)
        }
    }
}
