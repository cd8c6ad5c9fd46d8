//! What can be wrong with an image's data: harmless, or at the cost of pixels.

use shardmill_jpeg::{Damage, Report};

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

/// The most important one of a JPEG's: damage is more than whatever else is wrong.
pub(super) fn warning(report: &Report) -> Option<Warning> {
    let warnings = &report.warnings;
    if report.damage.is_some() {
        Some(Warning::Padded)
    } else if warnings.no_end {
        Some(Warning::NoEnd)
    } else if warnings.fewer_scans {
        Some(Warning::FewerScans)
    } else if warnings.extra_bytes {
        Some(Warning::ExtraBytes)
    } else {
        warnings.any().then_some(Warning::OddHeader)
    }
}

impl From<Damage> for Reject {
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::Ends => Self::Truncated,
            damage => Self::Damaged(damage.to_string()),
        }
    }
}
