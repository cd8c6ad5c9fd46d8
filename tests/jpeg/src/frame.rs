//! What a frame header says: process, components and the sizes that follow from them.

/// How a frame is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// SOF0: sequential, tables of 8 bits, two Huffman tables of each class.
    Baseline,
    /// SOF1: sequential, tables of 8 or 16 bits, four Huffman tables of each class.
    Extended,
    /// SOF2.
    Progressive,
}

impl Process {
    /// The second byte of the frame header's marker.
    pub(crate) fn marker(self) -> u8 {
        match self {
            Self::Baseline => 0xC0,
            Self::Extended => 0xC1,
            Self::Progressive => 0xC2,
        }
    }
}

/// One component of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// Identifier.
    pub id: u8,
    /// Horizontal sampling factor, 1 to 4.
    pub horizontal: u8,
    /// Vertical sampling factor, 1 to 4.
    pub vertical: u8,
    /// Destination of its quantisation table, 0 to 3.
    pub quantisation: u8,
    /// Destination of its Huffman table for DC coefficients, 0 to 3; baseline has 0 and 1.
    pub dc: u8,
    /// Destination of its Huffman table for AC coefficients, 0 to 3; baseline has 0 and 1.
    pub ac: u8,
}

impl Component {
    /// Component number `index` as most encoders write it: identifiers from 1, and the second set of
    /// tables for all but the first.
    #[must_use]
    pub fn usual(index: usize, (horizontal, vertical): (u8, u8)) -> Self {
        let table = index.min(1) as u8;
        Self {
            id: index as u8 + 1,
            horizontal,
            vertical,
            quantisation: table,
            dc: table,
            ac: table,
        }
    }
}

/// What a frame header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Width in pixels, 1 to 65,535.
    pub width: u16,
    /// Height in pixels, 1 to 65,535.
    pub height: u16,
    /// How the frame is coded.
    pub process: Process,
    /// The components, 1 to 4 in a stream that decoders accept.
    pub components: Vec<Component>,
}

impl Frame {
    /// Whether all of a coefficient comes in one scan.
    #[must_use]
    pub fn is_sequential(&self) -> bool {
        self.process != Process::Progressive
    }

    /// The largest sampling factors, horizontal and vertical.
    #[must_use]
    pub fn largest_factors(&self) -> (usize, usize) {
        let factors = |factor: fn(&Component) -> u8| self.components.iter().map(factor).max();
        let horizontal = factors(|component| component.horizontal);
        let vertical = factors(|component| component.vertical);
        (
            usize::from(horizontal.unwrap_or(1)),
            usize::from(vertical.unwrap_or(1)),
        )
    }

    /// Width and height of a component in samples (T.81, A.1.1).
    #[must_use]
    pub fn sample_size(&self, component: usize) -> (usize, usize) {
        let (most_horizontal, most_vertical) = self.largest_factors();
        let Component {
            horizontal,
            vertical,
            ..
        } = self.components[component];
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        (
            (width * usize::from(horizontal)).div_ceil(most_horizontal),
            (height * usize::from(vertical)).div_ceil(most_vertical),
        )
    }

    /// Units of an interleaved scan in a row and in a column (T.81, A.2.3).
    #[must_use]
    pub fn interleaved_units(&self) -> (usize, usize) {
        let (horizontal, vertical) = self.largest_factors();
        (
            usize::from(self.width).div_ceil(8 * horizontal),
            usize::from(self.height).div_ceil(8 * vertical),
        )
    }

    /// Blocks of a component in a row and in a column, with those that only fill interleaved units.
    #[must_use]
    pub fn padded_blocks(&self, component: usize) -> (usize, usize) {
        let (across, down) = self.interleaved_units();
        let component = self.components[component];
        (
            across * usize::from(component.horizontal),
            down * usize::from(component.vertical),
        )
    }
}
