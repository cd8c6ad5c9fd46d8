//! One scan.

use crate::frame::Frame;
use crate::quantisation::Quantisation;

/// A scan: which components, which coefficients, which bits of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Components by their place in the frame header.
    pub components: Vec<usize>,
    /// First coefficient in zigzag order.
    pub first: u8,
    /// Last coefficient in zigzag order.
    pub last: u8,
    /// The lowest bit that earlier scans sent (Ah); 0 for the first scan of a coefficient.
    pub high: u8,
    /// The lowest bit that this scan sends (Al).
    pub low: u8,
    /// Units between restart markers; 0 is none.
    pub restart: u16,
    /// Quantisation tables that are defined directly before this scan.
    pub quantisation: Vec<Quantisation>,
}

impl Scan {
    /// A scan of sequential JPEG: all coefficients of these components.
    #[must_use]
    pub fn whole(components: &[usize]) -> Self {
        Self::part(components, 0..=63, 0, 0)
    }

    /// A scan of progressive JPEG: coefficients in zigzag order, and the bits `high` and `low`.
    #[must_use]
    pub fn part(
        components: &[usize],
        coefficients: std::ops::RangeInclusive<u8>,
        high: u8,
        low: u8,
    ) -> Self {
        Self {
            components: components.to_vec(),
            first: *coefficients.start(),
            last: *coefficients.end(),
            high,
            low,
            restart: 0,
            quantisation: Vec::new(),
        }
    }

    /// Calls `visit` with the blocks of each unit, in order: places in `components`, columns and rows.
    /// A scan of one component has units of one block and leaves out the blocks that only fill
    /// interleaved units (T.81, A.2.2 and A.2.3).
    pub(crate) fn for_each_unit(&self, frame: &Frame, mut visit: impl FnMut(&[Place])) {
        if let [component] = self.components[..] {
            let (width, height) = frame.sample_size(component);
            for row in 0..height.div_ceil(8) {
                for column in 0..width.div_ceil(8) {
                    visit(&[Place {
                        index: 0,
                        column,
                        row,
                    }]);
                }
            }
            return;
        }
        let (across, down) = frame.interleaved_units();
        let mut unit = Vec::new();
        for unit_row in 0..down {
            for unit_column in 0..across {
                unit.clear();
                for (index, &component) in self.components.iter().enumerate() {
                    let component = frame.components[component];
                    let wide = usize::from(component.horizontal);
                    let high = usize::from(component.vertical);
                    for row in unit_row * high..(unit_row + 1) * high {
                        for column in unit_column * wide..(unit_column + 1) * wide {
                            unit.push(Place { index, column, row });
                        }
                    }
                }
                visit(&unit);
            }
        }
    }
}

/// A block of a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Place of the component in the scan.
    pub(crate) index: usize,
    pub(crate) column: usize,
    pub(crate) row: usize,
}
