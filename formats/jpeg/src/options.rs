//! How an image is decoded.

/// How far an image of one scan is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Down to the last row that is needed: damage after it is not seen.
    #[default]
    Needed,
    /// To the end.
    Whole,
}

/// What is done with damage at the cost of pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDamage {
    /// It is an error.
    #[default]
    Refuse,
    /// The pixels that there are are kept, and it is reported: what the data does not reach is grey (samples of 128),
    /// or as earlier scans left it. Reading resumes at the next restart marker whose turn it is.
    Keep,
}

/// What an image may take, beyond which it is refused before memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels. An image of one scan takes a byte for each sample of the region, and any other 2 bytes for each
    /// sample of the image besides.
    pub pixels: usize,
    /// Most scans; each takes a pass over all blocks, however little data it has. Common encoders write ten.
    pub scans: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pixels: 100_000_000,
            scans: 100,
        }
    }
}

/// How an image is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How far it is looked at.
    pub extent: Extent,
    /// What is done with damage.
    pub damage: OnDamage,
    /// What it may take.
    pub limits: Limits,
}
