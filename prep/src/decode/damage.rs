//! What can be wrong with an image's data: harmless, or at the cost of pixels.

use crate::reject::Reject;

/// Something wrong with an image that becomes a record all the same, and is counted and named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Warning {
    /// Bytes that mean nothing between parts of the image.
    ExtraBytes,
    /// The mark at the end is missing.
    NoEnd,
    /// A header that the standard does not allow, but all decoders understand.
    OddHeader,
    /// A progressive JPEG without its last scans, which refine what others have brought.
    FewerScans,
    /// Pixels are missing, which are grey or as the decoder left them: kept by [`Truncated::Pad`].
    ///
    /// [`Truncated::Pad`]: crate::decode::Truncated::Pad
    Padded,
    /// Pixels that the run lengths of a BMP jump over, which are black.
    SkippedPixels,
}

impl Warning {
    /// Every warning.
    pub const ALL: &'static [Self] = &[
        Self::ExtraBytes,
        Self::NoEnd,
        Self::OddHeader,
        Self::FewerScans,
        Self::Padded,
        Self::SkippedPixels,
    ];

    /// Whether all pixels of the image are its own.
    #[must_use]
    pub const fn has_all_pixels(self) -> bool {
        !matches!(self, Self::Padded | Self::SkippedPixels)
    }

    /// A short, stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ExtraBytes => "extra-bytes",
            Self::NoEnd => "no-end",
            Self::OddHeader => "odd-header",
            Self::FewerScans => "fewer-scans",
            Self::Padded => "padded",
            Self::SkippedPixels => "skipped-pixels",
        }
    }
}

/// Damage at the cost of pixels: some are missing, or would be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The data ends.
    Ends,
    /// Bits that no code begins with, or that lead out of a block.
    Code,
    /// Levels that no pixels have.
    Level,
    /// A restart interval has too little data.
    Interval,
    /// A restart marker is not the one whose turn it is.
    Restart,
    /// Far more data than the blocks take: codes before it were lost or changed.
    Left,
    /// A scan's header or tables make no sense.
    Header(&'static str),
}

impl From<Damage> for Reject {
    fn from(damage: Damage) -> Self {
        Self::Damaged(match damage {
            Damage::Ends => return Self::Truncated,
            Damage::Code => "its data holds bits that are no code".to_owned(),
            Damage::Level => "its data gives levels that no pixels have".to_owned(),
            Damage::Interval => "the data of a restart interval ends too early".to_owned(),
            Damage::Left => "its data goes on behind the last block".to_owned(),
            Damage::Restart => "a restart marker is missing or out of turn".to_owned(),
            Damage::Header(what) => what.to_owned(),
        })
    }
}

/// Most bytes that may be left over after the blocks of a restart interval or scan. What some programs
/// add there is short; where codes in the middle were overwritten, all that the lost ones took is left.
const MOST_LEFT: usize = 64;

/// Whether whole bytes are left over, where the blocks end at bit `position` and the data at bit `end`,
/// not before.
#[inline(always)]
pub(super) fn left_over(position: usize, end: usize) -> Result<bool, Damage> {
    let bytes = (end - position) / 8;
    match bytes > MOST_LEFT {
        true => Err(Damage::Left),
        false => Ok(bytes > 0),
    }
}
