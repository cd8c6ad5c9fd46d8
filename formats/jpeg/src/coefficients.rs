//! The coefficients of all blocks of an image, which scans bring one after another.

use crate::blocks::Block;
use crate::frame::Frame;
use crate::planes::{Cut, Plane};
use crate::transform::Transform;

/// The blocks of one component.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Place of its first block.
    start: usize,
    /// Blocks in a row, those that only fill up units included.
    row: usize,
}

/// See the module; kept from one image to the next.
#[derive(Debug, Default)]
pub(crate) struct Coefficients {
    parts: [Part; 4],
    values: Vec<i16>,
}

impl Coefficients {
    /// Blocks of a frame, those that only fill up units included.
    pub(crate) fn blocks(frame: &Frame) -> usize {
        let (across, down) = frame.units();
        let parts = frame.components.iter();
        let unit: usize = parts.map(|part| part.across * part.down).sum();
        across * down * unit
    }

    /// Makes room for a frame; all coefficients are zero.
    pub(crate) fn clear(&mut self, frame: &Frame) {
        let (across, down) = frame.units();
        let mut start = 0;
        for (part, component) in self.parts.iter_mut().zip(&frame.components) {
            let row = across * component.across;
            *part = Part { start, row };
            start += row * down * component.down;
        }
        let values = start * 64;
        if self.values.capacity() < values {
            // Zeros that nobody has touched take no memory: a file that claims a giant but brings little of
            // it does not get the giant's memory.
            self.values = vec![0; values];
        } else {
            self.values.clear();
            self.values.resize(values, 0);
        }
    }

    /// A block of the component at `place` of the frame.
    #[inline]
    pub(crate) fn block(&mut self, place: usize, column: usize, row: usize) -> &mut Block {
        let part = self.parts[place];
        let block = part.start + row * part.row + column;
        &mut self.values.as_chunks_mut().0[block]
    }

    /// Transforms the blocks that are kept, and calls `finished` after each row of units, with the planes and the
    /// number of rows done.
    #[inline(always)]
    pub(crate) fn transform<T: Transform>(
        &self,
        frame: &Frame,
        cuts: &[Cut],
        planes: &mut [Plane],
        mut transform: T,
        mut finished: impl FnMut(&[Plane], usize),
    ) {
        let parts = frame.components.iter().zip(cuts).zip(&self.parts);
        let first = parts.clone().map(|((part, cut), _)| cut.rows.0 / part.down);
        let end = parts
            .clone()
            .map(|((part, cut), _)| cut.rows.1.div_ceil(part.down));
        for unit in first.min().unwrap_or(0)..end.max().unwrap_or(0) {
            for (number, ((component, cut), part)) in parts.clone().enumerate() {
                let rows = unit * component.down..(unit + 1) * component.down;
                for row in rows.start.max(cut.rows.0)..rows.end.min(cut.rows.1) {
                    let first = part.start + row * part.row + cut.columns.0;
                    let blocks = &self.values.as_chunks::<64>().0[first..];
                    for (column, values) in (cut.columns.0..cut.columns.1).zip(blocks) {
                        let length = 1 + values.iter().rposition(|&value| value != 0).unwrap_or(0);
                        let block = transform.block();
                        for (&value, place) in values[..length].iter().zip(T::PLACES) {
                            block[usize::from(place)] = value;
                        }
                        let start = cut.start(column, row, planes[number].stride);
                        transform.put(planes, number, start, length);
                    }
                }
            }
            transform.flush(planes);
            finished(planes, unit + 1);
        }
    }
}
