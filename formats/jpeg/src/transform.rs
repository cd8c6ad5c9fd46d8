//! What makes levels of coefficients.

use crate::planes::Plane;

/// Takes block after block.
pub(crate) trait Transform {
    /// Place of each coefficient within a block, in the order of the data.
    const PLACES: [u8; 80];

    /// Where the coefficients of the next block go: all zeros.
    fn block(&mut self) -> &mut [i16; 64];

    /// Takes that block, which has `length` coefficients in the order of the data: its levels go to `start` of
    /// the component's plane, perhaps only when further blocks are there.
    fn put(&mut self, planes: &mut [Plane], component: usize, start: usize, length: usize);

    /// Completes all blocks.
    fn flush(&mut self, planes: &mut [Plane]);
}
