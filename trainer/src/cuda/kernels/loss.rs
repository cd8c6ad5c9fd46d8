//! Softmax cross-entropy with its gradient and hits.
//!
//! Contract: the kernels read and write inside their views alone, whose types and lengths are checked for the rows
//! and classes before their pointers leave; a gradient that is not wanted is a null pointer.

use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Element, View, ViewMut};
use crate::cuda::kernels::{Argument, check, size};

/// f32 places of a row's three f64 numbers.
const ROW_PLACES: usize = 6;

impl Gpu {
    /// Values of scratch, in f32, for the loss of `rows` rows.
    pub(crate) fn score_scratch(&self, rows: usize) -> usize {
        rows * ROW_PLACES
    }

    /// Adds the sum of the rows' losses and the numbers of top-1 and top-5 hits to the three `sums`,
    /// and writes the gradient of the mean loss of `images` images, of which the rows are some or all.
    ///
    /// The labels are classes: whoever uploaded them has seen to that.
    pub(crate) fn score(
        &self,
        (classes, images): (usize, usize),
        logits: View<'_>,
        labels: View<'_>,
        gradient: Option<ViewMut<'_>>,
        sums: ViewMut<'_>,
        scratch: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let rows = labels.len;
        check(labels, Element::I64, rows);
        check(logits, logits.element, rows * classes);
        check(sums.view(), Element::F64, 3);
        let scratch = scratch.head(rows * ROW_PLACES);
        check(scratch.view(), Element::F32, rows * ROW_PLACES);
        if let Some(gradient) = &gradient {
            check(gradient.view(), logits.element, rows * classes);
        }
        let arguments = [
            logits.into(),
            labels.into(),
            gradient
                .as_ref()
                .map_or(Argument::Pointer(0), Argument::from),
            (&scratch).into(),
            size(classes),
            size(images),
        ];
        let added = [scratch.view().into(), (&sums).into(), size(rows)];
        let name = ("cross_entropy", Some(logits.element));
        // SAFETY: the kernels' arguments; a missing gradient is a null pointer, which the first does
        // not follow; the scratch, aligned as all memory of the card is, holds three f64 for each row.
        unsafe {
            self.launch(name, (rows as u32, 1), &arguments)?;
            self.launch(("scores_add", None), (1, 1), &added)
        }
    }
}
