//! What can be wrong with a file: harmless, at the cost of pixels, or so that there is no picture.

/// Why a file gives no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A kind of JPEG that this decoder does not know, by its name.
    #[error("{0} JPEG is not supported")]
    Unsupported(&'static str),
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

/// What was wrong with a file whose pixels are all there; libjpeg warns of each of these too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warnings {
    /// Bytes that mean nothing between parts of the image.
    pub extra_bytes: bool,
    /// The mark at the end is missing.
    pub no_end: bool,
}

/// What there is to say about an image that was decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Harmless.
    pub warnings: Warnings,
}

/// Most bytes that may be left over after the blocks of a restart interval or scan. What some programs
/// add there is short; where codes in the middle were overwritten, all that the lost ones took is left.
const MOST_LEFT: usize = 64;

/// Whether whole bytes are left over, where the blocks end at bit `position` and the data at bit `end`,
/// not before.
#[inline(always)]
pub fn left_over(position: usize, end: usize) -> Result<bool, Damage> {
    let bytes = (end - position) / 8;
    match bytes > MOST_LEFT {
        true => Err(Damage::Left),
        false => Ok(bytes > 0),
    }
}
