//! The entropy-coded data of a JPEG's scan, without what is put between for markers' sake.

/// Zeros after the data, so that the bit buffer is refilled by whole words to its end.
const PADDING: usize = 8;

/// A scan's data.
#[derive(Debug, Default)]
pub(crate) struct Entropy {
    /// Without stuffed zeros and markers, and with a few zeros after it.
    pub(crate) data: Vec<u8>,
    /// Where each restart interval of `data` ends.
    pub(crate) ends: Vec<usize>,
    /// The number of the marker in front of each restart interval but the first.
    pub(crate) markers: Vec<u8>,
    /// The first restart interval whose marker is not the one whose turn it is.
    pub(crate) out_of_turn: usize,
    /// The marker after it; `None` if the file ends.
    pub(crate) behind: Option<u8>,
    /// Its length in the file.
    pub(crate) length: usize,
}

impl Entropy {
    /// Takes the data that `bytes` begin with, up to a marker that is no restart.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.data.clear();
        self.ends.clear();
        self.markers.clear();
        (self.out_of_turn, self.behind) = (usize::MAX, None);
        let mut rest = bytes;
        while let Some(mark) = memchr::memchr(0xFF, rest) {
            let Some(&next) = rest.get(mark + 1) else {
                break;
            };
            match next {
                0 => self.data.extend_from_slice(&rest[..=mark]),
                0xFF => {
                    // A fill byte: the next one may begin a marker.
                    self.data.extend_from_slice(&rest[..mark]);
                    rest = &rest[mark + 1..];
                    continue;
                }
                0xD0..=0xD7 => {
                    self.data.extend_from_slice(&rest[..mark]);
                    if usize::from(next & 7) != self.ends.len() % 8 {
                        self.out_of_turn = self.out_of_turn.min(self.ends.len() + 1);
                    }
                    self.ends.push(self.data.len());
                    self.markers.push(next & 7);
                }
                _ => {
                    self.behind = Some(next);
                    self.end(&rest[..mark], bytes.len() - rest.len() + mark);
                    return;
                }
            }
            rest = &rest[mark + 2..];
        }
        // Half a marker at the very end is none.
        let left = rest.strip_suffix(&[0xFF]).unwrap_or(rest);
        self.end(left, bytes.len());
    }

    fn end(&mut self, last: &[u8], length: usize) {
        self.data.extend_from_slice(last);
        self.ends.push(self.data.len());
        self.data.extend_from_slice(&[0; PADDING]);
        self.length = length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8]) -> (Vec<u8>, Entropy) {
        let mut entropy = Entropy::default();
        entropy.take(bytes);
        let length = entropy.ends[entropy.ends.len() - 1];
        (entropy.data[..length].to_vec(), entropy)
    }

    #[test]
    fn stuffing_fill_bytes_and_restarts_are_taken_out() {
        let (data, entropy) = taken(&[
            1, 0xFF, 0, 2, 0xFF, 0xFF, 0xD0, 3, 0xFF, 0xD1, 0xFF, 0xD9, 7,
        ]);
        assert_eq!(data, [1, 0xFF, 2, 3]);
        assert_eq!((entropy.ends, entropy.markers), (vec![3, 4, 4], vec![0, 1]));
        assert_eq!((entropy.behind, entropy.length), (Some(0xD9), 10));
        assert_eq!(entropy.out_of_turn, usize::MAX);
    }

    #[test]
    fn a_fill_byte_before_a_stuffed_zero_changes_no_data() {
        let (data, entropy) = taken(&[1, 0xFF, 0xFF, 0xFF, 0, 2, 0xFF, 0xD9]);
        assert_eq!(data, [1, 0xFF, 2]);
        assert_eq!((entropy.behind, entropy.length), (Some(0xD9), 6));
    }

    #[test]
    fn restarts_out_of_turn_and_a_missing_end_are_noted() {
        let (data, entropy) = taken(&[1, 0xFF, 0xD0, 2, 0xFF, 0xD2, 3, 0xFF]);
        assert_eq!(data, [1, 2, 3]);
        assert_eq!((entropy.out_of_turn, entropy.behind), (2, None));
        assert_eq!(entropy.length, 8);
    }
}
