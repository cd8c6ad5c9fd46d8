//! Which data belongs to which restart interval, where markers may be lost (ITU-T T.81, annex E.2.4).

use std::ops::Range;

use crate::damage::Damage;
use crate::entropy::Entropy;

/// Hands out the data of interval after interval.
pub(crate) struct Intervals<'a> {
    entropy: &'a Entropy,
    /// The next stretch of data between markers.
    next: usize,
}

/// Data of an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    /// Its bytes.
    pub(crate) bytes: Range<usize>,
    /// Whether it is the last one that there is.
    pub(crate) last: bool,
}

impl<'a> Intervals<'a> {
    pub(crate) const fn new(entropy: &'a Entropy) -> Self {
        Self { entropy, next: 0 }
    }

    /// The data of an interval, if there is any, and what is wrong with its marker. Which data is left out where
    /// the numbers do not fit is libjpeg's rule (`jpeg_resync_to_restart`): a marker a little ahead of its turn
    /// means that others were lost before it, one a little behind that its data has come already.
    pub(crate) fn take(&mut self, interval: usize) -> (Option<Interval>, Option<Damage>) {
        let Entropy { ends, markers, .. } = self.entropy;
        let mut damage = None;
        while self.next < ends.len() {
            let ahead = match self.next {
                0 => 0,
                next => (usize::from(markers[next - 1]) + 8 - (interval - 1) % 8) % 8,
            };
            if ahead > 0 {
                damage = Some(Damage::Restart);
            }
            if matches!(ahead, 1 | 2) {
                return (None, damage);
            }
            let start = self.next.checked_sub(1).map_or(0, |before| ends[before]);
            let bytes = start..ends[self.next];
            self.next += 1;
            if !matches!(ahead, 6 | 7) {
                let last = self.next == ends.len();
                return (Some(Interval { bytes, last }), damage);
            }
        }
        (None, Some(Damage::Ends))
    }

    /// Whether there is data that was not handed out.
    pub(crate) const fn is_left(&self) -> bool {
        self.next < self.entropy.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the data of each interval is taken from, if it has two bytes between markers of these numbers.
    fn taken(numbers: &[u8], intervals: usize) -> Vec<(Option<usize>, Option<Damage>)> {
        let mut bytes = vec![7, 7];
        for number in numbers {
            bytes.extend([0xFF, 0xD0 | number, 7, 7]);
        }
        let mut entropy = Entropy::default();
        entropy.take(&bytes);
        let mut all = Intervals::new(&entropy);
        let taken = (0..intervals).map(|interval| {
            let (found, damage) = all.take(interval);
            (found.map(|found| found.bytes.start / 2), damage)
        });
        taken.collect()
    }

    #[test]
    fn intervals_in_turn_have_their_own_data() {
        let found = taken(&[0, 1, 2, 3, 4, 5, 6, 7, 0, 1], 11);
        let wanted: Vec<_> = (0..11).map(|i| (Some(i), None)).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn lost_markers_leave_their_intervals_out_and_late_ones_are_passed() {
        let turn = Some(Damage::Restart);
        // Marker 1 is lost.
        let found = taken(&[0, 2, 3], 5);
        let wanted = [
            (Some(0), None),
            (Some(1), None),
            (None, turn),
            (Some(2), None),
            (Some(3), None),
        ];
        assert_eq!(found, wanted);
        // Marker 0 comes twice.
        let found = taken(&[0, 0, 1], 4);
        let wanted = [
            (Some(0), None),
            (Some(1), None),
            (Some(3), turn),
            (None, Some(Damage::Ends)),
        ];
        assert_eq!(found, wanted);
        // Far from its turn it is taken for a changed number.
        let found = taken(&[0, 5, 2], 4);
        let wanted = [
            (Some(0), None),
            (Some(1), None),
            (Some(2), turn),
            (Some(3), None),
        ];
        assert_eq!(found, wanted);
    }
}
