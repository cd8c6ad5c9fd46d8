//! The coefficients of all blocks of an image, which scans bring one after another.

use crate::blocks::Block;
use crate::float;
use crate::frame::Frame;
use crate::planes::{Cut, Plane};
use crate::tables::Steps;
use crate::zigzag::ZIGZAG;

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

    /// Transforms the blocks of a component that `cut` keeps.
    #[inline(always)]
    pub(crate) fn transform(&self, place: usize, steps: &Steps, cut: &Cut, plane: &mut Plane) {
        let factors = float::factors(steps);
        let part = self.parts[place];
        for row in cut.rows.0..cut.rows.1 {
            let start = part.start + row * part.row;
            let blocks = &self.values.as_chunks::<64>().0[start + cut.columns.0..];
            for (column, block) in (cut.columns.0..cut.columns.1).zip(blocks) {
                let length = 1 + block.iter().rposition(|&value| value != 0).unwrap_or(0);
                let mut turned = [0; 64];
                for (&value, &place) in block[..length].iter().zip(&ZIGZAG) {
                    turned[usize::from(place)] = value;
                }
                // Ten coefficients fill the first four diagonals.
                let levels = match length {
                    1 => float::flat(&turned, &factors),
                    2..=10 => float::inverse::<4>(&turned, &factors),
                    _ => float::inverse::<8>(&turned, &factors),
                };
                plane.put(cut, column, row, &levels);
            }
        }
    }
}
