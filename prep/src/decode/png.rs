//! The frame of a PNG: chunk after chunk, of which the last is the end.

use std::borrow::Cow;

/// The chunk that ends a PNG.
const END: &[u8; 12] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// A PNG with an end after its last whole chunk, and whether that had to be put there.
///
/// All pixels may be there without it. Whether they are the decoder sees.
pub(super) fn ended(bytes: &[u8]) -> (Cow<'_, [u8]>, bool) {
    let mut at = 8;
    while let Some(&[a, b, c, d, ref name @ ..]) =
        bytes.get(at..).and_then(|b| b.first_chunk::<8>())
    {
        let end = at.saturating_add(12 + u32::from_be_bytes([a, b, c, d]) as usize);
        if name == b"IEND" {
            return (bytes.into(), false);
        }
        if end > bytes.len() {
            break;
        }
        at = end;
    }
    let whole = bytes.get(..at).unwrap_or(bytes);
    ([whole, END].concat().into(), true)
}
