//! Damage to a stream.

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
    // The first two bytes say that the stream is a JPEG; only cuts reach them.
    let at = 2 + random.below(bytes.len() - 2);
    match random.below(12) {
        0..=2 => bytes[at] ^= 1 << random.below(8),
        3 => {
            bytes.remove(at);
        }
        4 => bytes.insert(at, *random.one_of(&[0, 0xFF, 0x80, 0x7F])),
        5 => bytes[at] = random.below(256) as u8,
        6 => bytes[at] = 0xFF,
        7 => {
            bytes.truncate(at);
            if random.below(2) == 0 {
                bytes.extend([0xFF, 0xD9]);
            }
        }
        8 => {
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

/// Where a marker stands behind the first, that of the start.
fn markers(bytes: &[u8]) -> Vec<usize> {
    let is_marker = |&at: &usize| bytes[at] == 0xFF && !matches!(bytes[at + 1], 0 | 0xFF);
    (2..bytes.len() - 1).filter(is_marker).collect()
}
