//! Softmax cross-entropy with its gradient and hits.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked for
//! the rows and classes before their pointers are handed over; without a gradient its pointer is null.

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;

/// f32 places of a row's three f64 numbers.
const ROW_PLACES: usize = 6;

/// Scratch values, in f32, for the loss of `rows` rows.
pub(crate) const fn loss_scratch(rows: usize) -> usize {
    rows * ROW_PLACES
}

/// The loss of some or all rows of a batch.
#[derive(Debug)]
pub(crate) struct Loss<'a> {
    /// Rows of the whole batch, whose mean loss the gradient is of.
    pub(crate) images: usize,
    /// A row for each label, of as many values as there are classes.
    pub(crate) logits: View<'a>,
    /// Classes: the caller has checked their range before they were uploaded.
    pub(crate) labels: View<'a>,
    /// Where to write the gradient of the logits, if it is needed.
    pub(crate) gradient: Option<ViewMut<'a>>,
    /// The sum of the losses and the numbers of top-1 and top-5 hits, to which the rows' are added.
    pub(crate) sums: ViewMut<'a>,
    /// At least [`loss_scratch`] values.
    pub(crate) scratch: ViewMut<'a>,
}

/// Adds the rows' losses and hits to the sums and writes the gradient.
pub(crate) fn cross_entropy(device: &Device, loss: Loss<'_>) -> Result<(), CudaError> {
    let (rows, element) = (loss.labels.len, loss.logits.element);
    let classes = loss.logits.len / rows;
    check(loss.labels, Element::I64, rows);
    check(loss.logits, element, rows * classes);
    check(loss.sums.view(), Element::F64, 3);
    let scratch = loss.scratch.head(loss_scratch(rows));
    check(scratch.view(), Element::F32, loss_scratch(rows));
    if let Some(gradient) = &loss.gradient {
        check(gradient.view(), element, rows * classes);
    }
    let inputs = [loss.logits.into(), loss.labels.into()];
    let outputs = [loss.gradient.as_ref().into(), (&scratch).into()];
    let sizes = [classes, loss.images].map(Argument::size);
    let arguments = [inputs, outputs, sizes].concat();
    let all = Argument::size(rows);
    let added = [scratch.view().into(), (&loss.sums).into(), all];
    let entry = Entry::typed("cross_entropy", element);
    // SAFETY: the kernels' arguments; a missing gradient is a null pointer, which the first does
    // not follow; the scratch, aligned as all memory of the GPU is, holds three f64 for each row.
    unsafe {
        device.launch(entry, Grid::blocks(rows, 1), &arguments)?;
        device.launch(Entry::plain("scores_add"), Grid::blocks(1, 1), &added)
    }
}
