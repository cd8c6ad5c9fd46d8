//! One update of all parameters, and the length of the gradient.
//!
//! Contract: the table in GPU memory holds the pointers of the views given with the call, whose types and
//! lengths are checked before; their memory is the caller's for as long as the views live.

use crate::cuda::device::{
    Argument, Buffer, CudaError, Device, Element, Entry, Grid, View, ViewMut,
};
use crate::cuda::kernels::check;
use crate::net::sgd::Rate;

/// Bytes of an entry of the table: four pointers and a length, two f32, two u32.
const ENTRY: usize = 56;

/// Blocks that stride over a parameter's values.
const BLOCKS: usize = 512;

/// Partial sums of a parameter's squares.
const PARTS: usize = 64;

/// The update of one parameter.
pub(crate) struct SgdEntry<'a> {
    pub(crate) weight: ViewMut<'a>,
    pub(crate) velocity: ViewMut<'a>,
    pub(crate) gradient: View<'a>,
    /// A bf16 copy, written in the same pass.
    pub(crate) copy: Option<ViewMut<'a>>,
    /// `None`: the parameter keeps its value.
    pub(crate) rate: Option<Rate>,
}

/// The entries as the kernels read them, in GPU memory.
pub(crate) struct SgdTable {
    /// The bytes in GPU memory.
    written: Vec<u8>,
    entries: Buffer,
    /// A sum for each part of each parameter.
    partial: Buffer,
}

impl SgdTable {
    pub(crate) fn new(device: &Device, parameters: usize) -> Result<Self, CudaError> {
        Ok(Self {
            written: Vec::new(),
            entries: device.buffer(Element::U8, parameters * ENTRY)?,
            partial: device.buffer(Element::F64, parameters * PARTS)?,
        })
    }
}

impl SgdEntry<'_> {
    /// As the kernels' struct has it, in the GPU's byte order.
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
        let rate = self.rate.unwrap_or_default();
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

/// Adds the square of the gradient's length to `norm`, and updates every parameter that has a rate:
/// `v <- momentum v - decay lr w - lr g; w <- w + v`.
pub(crate) fn sgd(
    device: &Device,
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
        device.synchronize()?;
        table.entries.write(&bytes)?;
        table.written = bytes;
    }
    let parameters = entries.len();
    let entries = table.entries.view();
    let partial = table.partial.view_mut().head(parameters * PARTS);
    let [count, parts, sums] = [parameters, PARTS, parameters * PARTS].map(Argument::size);
    let squares = [entries.into(), count, (&partial).into(), parts];
    let whole = [partial.view().into(), (&norm).into(), sums];
    let update = [entries.into(), count, Argument::F32(momentum)];
    let [parts, blocks] = [PARTS, BLOCKS].map(|columns| Grid::blocks(columns, parameters));
    // SAFETY: the kernels' arguments; the entries in GPU memory are those that were checked above,
    // and their memory is the caller's for as long as the views live.
    unsafe {
        device.launch(Entry::plain("norm_partial"), parts, &squares)?;
        device.launch(Entry::plain("norm_final"), Grid::blocks(1, 1), &whole)?;
        device.launch(Entry::plain("sgd"), blocks, &update)
    }
}
