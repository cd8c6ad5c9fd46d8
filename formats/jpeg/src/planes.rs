//! Components of an image as planes of samples, cut to the blocks that a region needs.

use crate::header::Header;
use crate::sequential::{Tools, most};

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
}

/// One component of an image, cut to the whole blocks that the region needs.
#[derive(Debug, Default)]
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

impl Plane {
    /// Puts a block's levels to their place: `start` is that of the first.
    #[inline(always)]
    pub(crate) fn put(&mut self, start: usize, levels: &[[u8; 8]; 8]) {
        let lines = self.memory[start..].chunks_mut(self.stride);
        for (line, levels) in lines.zip(levels) {
            line[..8].copy_from_slice(levels);
        }
    }
}

/// Gives the planes the sizes that the blocks to keep need.
pub(crate) fn shape(planes: &mut Vec<Plane>, header: &Header, tools: &[Tools<'_>]) {
    let (most_across, most_down) = most(header);
    planes.resize_with(tools.len(), Plane::default);
    for (plane, tools) in planes.iter_mut().zip(tools) {
        let (across, down) = (
            most_across / tools.component.across,
            most_down / tools.component.down,
        );
        let (left, top) = (tools.columns.0 * 8, tools.rows.0 * 8);
        let (right, bottom) = (tools.columns.1 * 8, tools.rows.1 * 8);
        (plane.across, plane.down) = (across, down);
        (plane.left, plane.top) = (left, top);
        plane.width = right.min(header.width.div_ceil(across)) - left;
        plane.height = bottom.min(header.height.div_ceil(down)) - top;
        plane.stride = right - left;
        plane.lines = bottom - top;
        // Every block of it will be written, so nothing is cleared.
        let bytes = plane.stride * plane.lines + SPARE;
        if plane.memory.len() < bytes {
            plane.memory.resize(bytes, 0);
        }
    }
}
