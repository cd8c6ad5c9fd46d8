//! One update of all parameters, and the length of the gradient.
//!
//! Tried and dropped: a pass of its own over the gradients for their length, which read 244 MB a step a second time.
//!
//! Contract: the table in GPU memory holds the pointers of the views given with the call, whose types and
//! lengths are checked before; their memory is the caller's for as long as the views live.

use crate::cuda::device::{
    Argument, Buffer, CudaError, Device, Element, Entry, Grid, View, ViewMut,
};
use crate::cuda::kernels::check;
use crate::net::sgd::Rate;

/// Bytes of an entry of the table: four pointers and a length, four u32.
const ENTRY: usize = 56;

/// Blocks that stride over a parameter's values, each with a partial sum of its squares.
const BLOCKS: usize = 512;

/// Different rates that the kernel takes: of weights, of biases, and conv1's own of both (`conv1_lr`).
const RATES: usize = 4;

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
    /// A sum for each block of each parameter.
    partial: Buffer,
}

impl SgdTable {
    pub(crate) fn new(device: &Device, parameters: usize) -> Result<Self, CudaError> {
        Ok(Self {
            written: Vec::new(),
            entries: device.buffer(Element::U8, parameters * ENTRY)?,
            partial: device.buffer(Element::F64, parameters * BLOCKS)?,
        })
    }
}

impl SgdEntry<'_> {
    /// As the kernels' struct has it, in the GPU's byte order; its rate is number `rate` of the launch.
    fn bytes(&self, rate: usize) -> Vec<u8> {
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
        let moves = u32::from(self.rate.is_some());
        for number in [rate as u32, bf16, moves, 0] {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }
}

/// The different rates of some parameters in the order of their first use, and the number of each parameter's. A
/// parameter that keeps its value has number 0.
///
/// # Panics
/// If there are more than the kernel takes, which no recipe has.
fn grouped(rates: impl Iterator<Item = Option<Rate>>) -> ([Rate; RATES], Vec<usize>) {
    let mut groups: Vec<Rate> = Vec::new();
    let numbers = rates.map(|rate| {
        let Some(rate) = rate else {
            return 0;
        };
        let number = groups.iter().position(|group| *group == rate);
        number.unwrap_or_else(|| {
            groups.push(rate);
            groups.len() - 1
        })
    });
    let numbers = numbers.collect();
    assert!(groups.len() <= RATES, "{} different rates", groups.len());
    groups.resize(RATES, Rate::default());
    let groups = groups.try_into().expect("as many as asked for");
    (groups, numbers)
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
    let (rates, numbers) = grouped(entries.iter().map(|entry| entry.rate));
    let numbered = entries.iter().zip(numbers);
    let bytes: Vec<u8> = numbered
        .flat_map(|(entry, number)| entry.bytes(number))
        .collect();
    assert!(bytes.len() <= table.entries.len(), "a table for as many");
    // Rates are arguments; the rest changes when a layer is frozen, and hardly else.
    if bytes != table.written {
        device.synchronize()?;
        table.entries.write(&bytes)?;
        table.written = bytes;
    }
    let parameters = entries.len();
    let entries = table.entries.view();
    let sums = parameters * BLOCKS;
    let partial = table.partial.view_mut().head(sums);
    // The CPU's update multiplies these two first, so the kernel gets the product.
    let rates = rates.map(|rate| [rate.lr, rate.decay * rate.lr].map(Argument::F32));
    let first = [
        entries.into(),
        Argument::size(parameters),
        Argument::F32(momentum),
    ];
    let update = [&first[..], rates.as_flattened(), &[(&partial).into()]].concat();
    let whole = [partial.view().into(), (&norm).into(), Argument::size(sums)];
    let blocks = Grid::blocks(BLOCKS, parameters);
    // SAFETY: the kernels' arguments; the entries in GPU memory are those that were checked above,
    // and their memory is the caller's for as long as the views live.
    unsafe {
        device.launch(Entry::plain("sgd"), blocks, &update)?;
        device.launch(Entry::plain("norm_final"), Grid::blocks(1, 1), &whole)
    }
}

#[cfg(test)]
mod tests {
    use super::{RATES, Rate, grouped};

    #[test]
    fn equal_rates_are_one_and_frozen_parameters_have_none() {
        let rate = |lr, decay| Some(Rate { lr, decay });
        let (weight, bias) = (rate(0.01, 5e-4), rate(0.02, 0.0));
        let (rates, numbers) = grouped([weight, bias, None, weight, bias].into_iter());
        assert_eq!(rates[..2], [weight.unwrap(), bias.unwrap()]);
        assert_eq!(rates[2..], [Rate::default(); RATES - 2]);
        assert_eq!(numbers, [0, 1, 0, 0, 1]);
        let (rates, numbers) = grouped([None, None].into_iter());
        assert_eq!((rates, numbers), ([Rate::default(); RATES], vec![0, 0]));
    }
}
