//! Components of an image as planes of samples, cut to the blocks that a region needs.

use crate::frame::{Component, Frame};

/// Bytes after the pixels of a plane, so that whole registers can be read at its end.
const SPARE: usize = 32;

/// The region of an image that is needed, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Column after the last.
    pub right: usize,
    /// Row after the last.
    pub bottom: usize,
}

impl Region {
    /// All of an image.
    #[must_use]
    pub const fn whole(width: usize, height: usize) -> Self {
        Self {
            left: 0,
            top: 0,
            right: width,
            bottom: height,
        }
    }

    /// Panics unless it is a part of an image.
    pub(crate) fn check(self, width: usize, height: usize) {
        assert!(
            self.left < self.right
                && self.right <= width
                && self.top < self.bottom
                && self.bottom <= height,
            "a region within the image"
        );
    }
}

/// One component of an image, cut to the whole blocks that the region needs.
#[derive(Clone, Debug, Default)]
pub struct Plane {
    /// Pixels of the image across for each sample.
    pub across: usize,
    /// Pixels of the image down for each sample.
    pub down: usize,
    /// Column of the first sample within the whole plane.
    pub left: usize,
    /// Row of the first sample within the whole plane.
    pub top: usize,
    /// Samples in a row that belong to the image.
    pub width: usize,
    /// Rows that belong to the image.
    pub height: usize,
    /// Samples from one row to the next.
    pub stride: usize,
    /// Rows that there are, those that only fill up the last blocks included.
    pub lines: usize,
    /// The samples, and perhaps what a larger image left behind them.
    pub memory: Vec<u8>,
}

/// The blocks of a component that a region needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Pixels of the image across and down for each sample.
    ratio: (usize, usize),
    /// Blocks of the plane that are kept: first and end, across and down.
    pub(crate) columns: (usize, usize),
    pub(crate) rows: (usize, usize),
}

/// The samples that some pixels, from and end, need of a plane's row or column, where each sample stands for
/// `step` pixels and there are `length` of them: from and end.
pub(crate) type Reach = fn((usize, usize), step: usize, length: usize) -> (usize, usize);

/// A sample more on either side, for the one that straddles the edge.
pub(crate) fn straddling((from, to): (usize, usize), step: usize, length: usize) -> (usize, usize) {
    let end = (to.div_ceil(step) + 1).min(length);
    ((from / step).saturating_sub(1), end)
}

impl Cut {
    /// The blocks of a component for a region of the image.
    pub(crate) fn new(frame: &Frame, component: &Component, region: Region, reach: Reach) -> Self {
        let ratio = frame.ratio(component);
        let span = |pixels: (usize, usize), step: usize, length: usize| {
            let (from, end) = reach(pixels, step, length.div_ceil(step));
            (from / 8, end.div_ceil(8))
        };
        Self {
            ratio,
            columns: span((region.left, region.right), ratio.0, frame.width),
            rows: span((region.top, region.bottom), ratio.1, frame.height),
        }
    }

    /// Whether a block is kept.
    #[inline(always)]
    pub(crate) fn keeps(&self, column: usize, row: usize) -> bool {
        (self.columns.0..self.columns.1).contains(&column)
            && (self.rows.0..self.rows.1).contains(&row)
    }

    /// Place of the first sample of a block that is kept, in a plane of this stride.
    #[inline(always)]
    pub(crate) const fn start(&self, column: usize, row: usize, stride: usize) -> usize {
        (row - self.rows.0) * 8 * stride + (column - self.columns.0) * 8
    }
}

impl Plane {
    /// Puts the levels of a block, or of blocks side by side, to their place: `start` is that of the first.
    #[inline(always)]
    pub(crate) fn put<const ACROSS: usize>(&mut self, start: usize, levels: &[[u8; ACROSS]; 8]) {
        let mut at = start;
        for levels in levels {
            self.memory[at..at + ACROSS].copy_from_slice(levels);
            at += self.stride;
        }
    }
}

/// Gives the planes of an image the sizes that the blocks to keep need.
pub(crate) fn shape(
    planes: &mut Vec<Plane>,
    frame: &Frame,
    cuts: impl ExactSizeIterator<Item = Cut>,
) {
    planes.resize_with(cuts.len(), Plane::default);
    for (plane, cut) in planes.iter_mut().zip(cuts) {
        let (across, down) = cut.ratio;
        let (left, top) = (cut.columns.0 * 8, cut.rows.0 * 8);
        let (right, bottom) = (cut.columns.1 * 8, cut.rows.1 * 8);
        (plane.across, plane.down) = (across, down);
        (plane.left, plane.top) = (left, top);
        plane.width = right.min(frame.width.div_ceil(across)) - left;
        plane.height = bottom.min(frame.height.div_ceil(down)) - top;
        plane.stride = right - left;
        plane.lines = bottom - top;
        // Every block of it will be written, so nothing is cleared.
        let bytes = plane.stride * plane.lines + SPARE;
        if plane.memory.len() < bytes {
            plane.memory.resize(bytes, 0);
        }
    }
}
