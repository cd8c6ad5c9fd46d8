//! Max pools.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked for
//! the shape and the rows before their pointers are handed over.

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;
use crate::net::shape::PoolShape;

/// In how many tensors, one behind the other, a pool's images lie: one with all of a pixel's channels, or two
/// with half of them each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolColumns {
    pub(crate) input: usize,
    pub(crate) output: usize,
}

impl PoolColumns {
    /// All channels together.
    pub(crate) const JOINED: Self = Self {
        input: 1,
        output: 1,
    };
}

/// The sizes of a pool over `rows` images, as its kernels take them.
fn sizes(shape: &PoolShape, columns: PoolColumns, rows: usize) -> [Argument; 10] {
    let PoolColumns { input, output } = columns;
    for columns in [input, output] {
        assert!(matches!(columns, 1 | 2) && shape.channels.is_multiple_of(columns));
    }
    [
        rows,
        shape.height,
        shape.width,
        shape.channels,
        shape.kernel,
        shape.stride,
        shape.output_height(),
        shape.output_width(),
        input,
        output,
    ]
    .map(Argument::size)
}

/// Writes the largest value of every window, and its place in the window: the places lie as the output does.
pub(crate) fn max_pool(
    device: &Device,
    shape: &PoolShape,
    columns: PoolColumns,
    rows: usize,
    input: View<'_>,
    output: ViewMut<'_>,
    winners: ViewMut<'_>,
) -> Result<(), CudaError> {
    let element = output.element;
    assert!(!shape.cut, "the kernels know whole windows only");
    assert!(shape.kernel <= 16, "places of a window fit into a byte");
    check(input, element, rows * shape.input_len());
    check(output.view(), element, rows * shape.output_len());
    check(winners.view(), Element::U8, output.len);
    let views = [input.into(), (&output).into(), (&winners).into()];
    let arguments = [&views[..], &sizes(shape, columns, rows)].concat();
    let (entry, grid) = (Entry::typed("max_pool", element), Grid::over(output.len));
    // SAFETY: the kernel's arguments; the views have the sizes of the shape.
    unsafe { device.launch(entry, grid, &arguments) }
}

/// What a pool's gradient comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolGradient<'a> {
    /// The places that [`max_pool`] has written.
    pub(crate) winners: View<'a>,
    /// The gradient of the output.
    pub(crate) gradient: View<'a>,
    /// The output, where the input is what a ReLU has left and the gradient of the ReLU's input is wanted.
    pub(crate) after_relu: Option<View<'a>>,
}

/// Writes the gradient of the images, or of what a ReLU made them from: every window's goes to its winner.
pub(crate) fn max_pool_backward(
    device: &Device,
    shape: &PoolShape,
    columns: PoolColumns,
    rows: usize,
    from: PoolGradient<'_>,
    input_gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    let PoolGradient {
        winners,
        gradient,
        after_relu,
    } = from;
    let element = input_gradient.element;
    assert!(!shape.cut, "the kernels know whole windows only");
    check(winners, Element::U8, rows * shape.output_len());
    check(gradient, element, winners.len);
    if let Some(output) = after_relu {
        check(output, element, winners.len);
    }
    check(input_gradient.view(), element, rows * shape.input_len());
    let views = [
        winners.into(),
        after_relu.into(),
        gradient.into(),
        (&input_gradient).into(),
    ];
    let arguments = [&views[..], &sizes(shape, columns, rows)].concat();
    let entry = Entry::typed("max_pool_backward", element);
    // SAFETY: the kernel's arguments; the views have the sizes of the shape, and a missing output is a null pointer,
    // which it does not follow.
    unsafe { device.launch(entry, Grid::over(input_gradient.len), &arguments) }
}
