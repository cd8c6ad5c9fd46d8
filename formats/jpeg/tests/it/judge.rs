//! Whether the decoder and libjpeg-turbo agree on a stream.

use std::collections::BTreeSet;

use shardmill_jpeg::{Damage, Error};
use shardmill_jpeg_kit::{Answer, Verdict};

use crate::ours::Pixels;

/// How many levels pixels may differ.
pub(crate) const FAR: i16 = 2;

/// What two decoders make of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The same pixels.
    SamePixels,
    /// Neither has a picture, for this reason of libjpeg's.
    BothRefuse(String),
    /// libjpeg warns, and the decoder refuses the stream.
    WarnedAndRefused,
    /// Not compared, and why.
    Exempt(&'static str),
    /// They differ, and how.
    Fault(String),
}

/// Compares what libjpeg says of a stream with what the decoder says. A stream of which libjpeg warns must
/// not be taken without a warning; if the decoder calls it harmless, its pixels must be libjpeg's
/// nevertheless. Only a stream that may be damaged can be exempt.
pub(crate) fn judge(
    answer: &Answer,
    pixels: &Result<Pixels, Error>,
    damaged: Option<&[u8]>,
) -> Judgement {
    let judgement = compare(answer, pixels);
    match (&judgement, damaged) {
        (Judgement::Fault(_), Some(bytes)) => {
            exemption(answer, pixels, bytes).map_or(judgement, Judgement::Exempt)
        }
        _ => judgement,
    }
}

fn compare(answer: &Answer, pixels: &Result<Pixels, Error>) -> Judgement {
    let text = match answer.text.as_str() {
        "" => String::new(),
        text => format!(" ({text})"),
    };
    let fault = |libjpeg, ours| Judgement::Fault(format!("libjpeg {libjpeg}{text}; ours {ours}"));
    let does = if answer.warnings > 0 {
        "warns"
    } else {
        "decodes"
    };
    match (answer.verdict, pixels) {
        (Verdict::PassedOver, _) => Judgement::Exempt("too many pixels"),
        (Verdict::Refused, Err(_)) => Judgement::BothRefuse(answer.text.clone()),
        (Verdict::Refused, Ok(pixels)) if pixels.warned => fault("refuses", "warns"),
        (Verdict::Refused, Ok(_)) => fault("refuses", "is silent"),
        (Verdict::Decoded, Err(_)) if answer.warnings > 0 => Judgement::WarnedAndRefused,
        (Verdict::Decoded, Err(error)) => fault(does, &format!("refuses: {error}")),
        (Verdict::Decoded, Ok(pixels)) if answer.warnings > 0 && !pixels.warned => {
            fault(does, "is silent")
        }
        (Verdict::Decoded, Ok(pixels)) => match difference(answer, pixels) {
            Some(levels) if levels <= FAR => Judgement::SamePixels,
            Some(_) if pixels.warned => fault(does, "warns, other pixels"),
            Some(_) => fault(does, "is silent, other pixels"),
            None => fault(does, "has another size"),
        },
    }
}

/// Why the decoder may differ from libjpeg on a damaged stream.
fn exemption(
    answer: &Answer,
    pixels: &Result<Pixels, Error>,
    bytes: &[u8],
) -> Option<&'static str> {
    let named = Named::find(bytes);
    match (answer.verdict, pixels) {
        // What libjpeg meets after the last scan, it meets before the first row of pixels if there are
        // several scans, and behind the last row if there is one.
        (Verdict::Refused, Ok(pixels)) if pixels.warned => Some("libjpeg refuses, ours warns"),
        // libjpeg clears a component when its scan begins once more, even if no data follows.
        (Verdict::Decoded, Ok(pixels)) if pixels.warned && named.repeats_a_scan() => {
            Some("a scan comes twice: libjpeg warns, ours warns, other pixels")
        }
        // libjpeg-turbo's fast way takes the fill byte for a marker, and leaves the block to the slow way, which sees
        // a fill byte but does not clear what the fast way has put into the block.
        (Verdict::Decoded, Ok(_)) if answer.warnings == 0 && has_fill_in_data(bytes) => {
            Some("a fill byte within the data: libjpeg decodes, ours decodes, other pixels")
        }
        (Verdict::Decoded, Err(Error::Unsupported(_))) => {
            Some("a kind that ours does not know, by its name: libjpeg decodes, ours refuses")
        }
        (Verdict::Decoded, Err(Error::Damaged(damage))) => match damage {
            Damage::Level => Some("levels that no pixels have: libjpeg decodes, ours refuses"),
            Damage::Code => Some("runs that lead out of a block: libjpeg decodes, ours refuses"),
            _ if named.lacks_a_scan() => {
                Some("a component without a scan: libjpeg decodes, ours refuses")
            }
            _ => None,
        },
        _ => None,
    }
}

/// The most levels by which a pixel lies outside the range of libjpeg's two transforms, which differ only
/// where levels are far from those of pixels; `None` if there are more or fewer pixels.
fn difference(answer: &Answer, pixels: &Pixels) -> Option<i16> {
    let is_same_size = (pixels.width, pixels.height) == (answer.width, answer.height)
        && pixels.rgb.len() == answer.rgb.len();
    let bounds = answer.rgb.iter().zip(&answer.floats);
    let far = pixels.rgb.iter().zip(bounds).map(|(&level, (&a, &b))| {
        let level = i16::from(level);
        (i16::from(a.min(b)) - level).max(level - i16::from(a.max(b)))
    });
    is_same_size.then(|| far.fold(0, i16::max))
}

/// Which components a stream names, by their identifiers.
struct Named {
    is_sequential: bool,
    /// In the first frame header.
    framed: Vec<u8>,
    /// In the scan headers before the end of the image, once for each scan.
    scanned: Vec<u8>,
}

impl Named {
    fn find(bytes: &[u8]) -> Self {
        let mut named = Self {
            is_sequential: false,
            framed: vec![],
            scanned: vec![],
        };
        for (at, pair) in bytes.windows(2).enumerate() {
            let body = bytes.get(at + 4..).unwrap_or_default();
            match *pair {
                // T.81, B.2.2 and B.2.3: components of three bytes after six, and of two after one.
                [0xFF, marker @ 0xC0..=0xC2] if named.framed.is_empty() => {
                    named.is_sequential = marker != 0xC2;
                    named.framed = ids(body, 6, 3);
                }
                [0xFF, 0xDA] => named.scanned.extend(ids(body, 1, 2)),
                [0xFF, 0xD9] if !named.scanned.is_empty() => break,
                _ => {}
            }
        }
        named
    }

    /// Whether a component has no scan.
    fn lacks_a_scan(&self) -> bool {
        self.framed.iter().any(|id| !self.scanned.contains(id))
    }

    /// Whether a component has one scan too many.
    fn repeats_a_scan(&self) -> bool {
        let distinct: BTreeSet<u8> = self.scanned.iter().copied().collect();
        self.is_sequential && distinct.len() < self.scanned.len()
    }
}

/// Whether a stuffed zero has a fill byte before it.
fn has_fill_in_data(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|three| three == [0xFF, 0xFF, 0])
}

/// The first byte of each entry of a list whose number of entries stands before it.
fn ids(body: &[u8], head: usize, each: usize) -> Vec<u8> {
    let count = body.get(head - 1).map_or(0, |&count| usize::from(count));
    let list = body.iter().skip(head).step_by(each);
    list.take(count).copied().collect()
}
