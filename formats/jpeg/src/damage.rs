//! What can be wrong with a file: harmless, at the cost of pixels, or so that there is no picture.

/// Why a file gives no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A kind of JPEG that this decoder does not know, by its name.
    #[error("{0} JPEG is not supported")]
    Unsupported(&'static str),
    /// More pixels than [`Limits`](crate::Limits) allow, seen before memory is taken.
    #[error("the image has {width}x{height} pixels, more than the limit of {limit}")]
    TooLarge {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Most pixels allowed.
        limit: usize,
    },
    /// Pixels are missing, or would be guessed.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

/// Damage at the cost of pixels: some are missing, or would be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The data ends.
    #[error("its data ends too early")]
    Ends,
    /// Bits that no code begins with, or that lead out of a block.
    #[error("its data holds bits that are no code")]
    Code,
    /// Levels that no pixels have.
    #[error("its data gives levels that no pixels have")]
    Level,
    /// A restart interval has too little data.
    #[error("the data of a restart interval ends too early")]
    Interval,
    /// A restart marker is not the one whose turn it is.
    #[error("a restart marker is missing or out of turn")]
    Restart,
    /// Far more data than the blocks take: codes before it were lost or changed.
    #[error("its data goes on behind the last block")]
    Left,
    /// A header or a table makes no sense.
    #[error("{0}")]
    Header(&'static str),
}

/// What was wrong with a file whose pixels are all there. libjpeg warns of each of these too, but for
/// [`fewer_scans`](Self::fewer_scans); its words are in quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warnings {
    /// Bytes that mean nothing between parts of the image: "extraneous bytes before marker".
    pub extra_bytes: bool,
    /// The mark at the end is missing: "premature end of JPEG file".
    pub no_end: bool,
    /// A scan header says what the standard does not allow, but all decoders understand: "invalid SOS parameters
    /// for sequential JPEG".
    pub odd_header: bool,
    /// An Adobe segment names a transform that the components cannot have: "unknown Adobe color transform code".
    /// The components are taken for luminance and colour differences.
    pub adobe_transform: bool,
    /// A JFIF segment of another version than 1: "unknown JFIF revision number".
    pub jfif_version: bool,
    /// Scans of a progressive frame come in an order that the standard does not allow, or bring bits twice:
    /// "inconsistent progression sequence".
    pub progression: bool,
    /// A progressive frame without its last scans, which refine what others have brought.
    pub fewer_scans: bool,
}

impl Warnings {
    /// Whether there are any.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// What there is to say about an image that was decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Harmless.
    pub warnings: Warnings,
    /// What was wrong first, at the cost of pixels; only with [`OnDamage::Keep`](crate::OnDamage::Keep), since it is
    /// an error otherwise.
    pub damage: Option<Damage>,
}

/// A block of pixels that are all white or all black has a first value of 1024, multiplied by its step.
/// Some encoders go beyond white and black on purpose, but none goes twice as far; data that is read from
/// the wrong bit on does so soon, since each value is added to the one before.
const MOST_LEVEL: u32 = 2048;

/// The largest first value of a block that pixels can have, with room to spare, for the step of first values.
pub(crate) fn most_level(step: u16) -> u32 {
    MOST_LEVEL / u32::from(step).max(1)
}

/// Most bytes that may be left over after the blocks of a restart interval or scan. What some programs
/// add there is short; where codes in the middle were overwritten, all that the lost ones took is left.
const MOST_LEFT: usize = 64;

/// Whether whole bytes are left over, where the blocks end at bit `position` and the data at bit `end`,
/// not before.
#[inline(always)]
pub(crate) fn left_over(position: usize, end: usize) -> Result<bool, Damage> {
    let bytes = (end - position) / 8;
    match bytes > MOST_LEFT {
        true => Err(Damage::Left),
        false => Ok(bytes > 0),
    }
}
