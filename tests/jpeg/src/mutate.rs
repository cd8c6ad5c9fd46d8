//! Damage to a stream.

use std::ops::Range;

use crate::random::Random;

/// The stream with one to three random faults: bits flipped, bytes removed, inserted or replaced, cuts
/// with or without an end marker, and segments changed, removed, repeated or exchanged.
#[must_use]
pub fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.len() < 4 {
            return bytes;
        }
        fault(&mut bytes, random);
    }
    bytes
}

fn fault(bytes: &mut Vec<u8>, random: &mut Random) {
    // The first two bytes say that the stream is a JPEG. Headers are longer than the data of small
    // pictures, and most damage to them is refused at once, so half of the faults are in the data.
    let scans = scans(bytes);
    let place = if scans.is_empty() || random.below(2) == 0 {
        2..bytes.len()
    } else {
        random.one_of(&scans).clone()
    };
    let at = place.start + random.below(place.len());
    match random.below(14) {
        0..=4 => bytes[at] ^= 1 << random.below(8),
        5 => {
            bytes.remove(at);
        }
        6 => bytes.insert(at, *random.one_of(&[0, 0xFF, 0x80, 0x7F])),
        7 => bytes[at] = random.below(256) as u8,
        8 => bytes[at] = 0xFF,
        9 => {
            bytes.truncate(at);
            if random.below(2) == 0 {
                bytes.extend([0xFF, 0xD9]);
            }
        }
        10 => {
            let end = (at + random.below(24)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => of_segment(bytes, random),
    }
}

/// A change of one marker or of what belongs to it.
fn of_segment(bytes: &mut Vec<u8>, random: &mut Random) {
    let markers = markers(bytes);
    if markers.is_empty() {
        return;
    }
    let chosen = random.below(markers.len());
    let start = markers[chosen];
    let end = markers.get(chosen + 1).copied().unwrap_or(bytes.len());
    match random.below(6) {
        0 => {
            bytes.drain(start..end);
        }
        1 => {
            let segment = bytes[start..end].to_vec();
            bytes.splice(start..start, segment);
        }
        2 => {
            let codes = [
                0xC0, 0xC1, 0xC2, 0xC4, 0xC9, 0xD0, 0xD3, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xFE,
            ];
            bytes[start + 1] = *random.one_of(&codes);
        }
        // The length, or a byte behind it.
        3 => {
            let at = (start + 2 + random.below(2)).min(bytes.len() - 1);
            bytes[at] = random.below(40) as u8;
        }
        4 => {
            let at = (start + 4 + random.below(16)).min(bytes.len() - 1);
            bytes[at] ^= 1 << random.below(8);
        }
        _ => {
            let other = *random.one_of(&markers);
            let segment: Vec<u8> = bytes.drain(start..end).collect();
            let to = other.min(bytes.len());
            bytes.splice(to..to, segment);
        }
    }
}

/// Where the entropy-coded data of each scan lies, restart markers and the next marker included.
fn scans(bytes: &[u8]) -> Vec<Range<usize>> {
    let markers = markers(bytes);
    let starts = markers.iter().filter(|&&at| bytes[at + 1] == 0xDA);
    let scans = starts.map(|&start| {
        let is_end = |&&at: &&usize| at > start && !matches!(bytes[at + 1], 0xD0..=0xD7);
        let end = markers.iter().find(is_end).map_or(bytes.len(), |at| at + 2);
        let length = bytes.get(start + 3).copied().unwrap_or(0);
        start + 2 + usize::from(length)..end
    });
    scans.filter(|scan| !scan.is_empty()).collect()
}

/// Where a marker stands behind the first, that of the start.
fn markers(bytes: &[u8]) -> Vec<usize> {
    let is_marker = |&at: &usize| bytes[at] == 0xFF && !matches!(bytes[at + 1], 0 | 0xFF);
    (2..bytes.len() - 1).filter(is_marker).collect()
}
