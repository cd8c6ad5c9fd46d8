//! BLAKE3 of a file whose first bytes are known last.

use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

/// Bytes hashed at once: 16 of BLAKE3's chunks of 1 KiB, which AVX-512 hashes in parallel.
const GROUP: usize = 16 * 1024;

/// A subtree over a power of two of groups.
#[derive(Clone, Copy, Debug)]
struct Subtree {
    groups: usize,
    value: ChainingValue,
}

/// Hashes a file from an offset on while it is written, so that the file does not have to be read again
/// once the bytes before that offset are known.
///
/// BLAKE3 is a tree over the file's chunks. Each whole group is reduced to the value of its subtree, 32
/// bytes, and two such subtrees to the value of the one above them. [`finish`](Self::finish) joins the
/// rest.
#[derive(Debug)]
pub(crate) struct StreamHash {
    /// Offset of the first byte that is hashed here.
    start: usize,
    /// Bytes of the group that `start` is in, unless that group begins there.
    early: Vec<u8>,
    /// Number of whole groups after it.
    groups: usize,
    /// The largest subtrees of the whole tree that consist of these groups.
    subtrees: Vec<Subtree>,
    /// The beginning of the next group.
    pending: Vec<u8>,
}

impl StreamHash {
    /// For a file whose first `start` bytes, at least one, come last.
    pub(crate) fn new(start: usize) -> Self {
        // The only group of a small file is hashed in another way than one of several.
        assert!(start > 0, "a file that is complete is hashed as a whole");
        Self {
            start,
            early: Vec::new(),
            groups: 0,
            subtrees: Vec::new(),
            pending: Vec::with_capacity(GROUP),
        }
    }

    /// Adds the next bytes of the file.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        let early = self.whole_groups_from() - self.start - self.early.len();
        let (first, rest) = bytes.split_at(early.min(bytes.len()));
        self.early.extend_from_slice(first);
        bytes = rest;
        if !self.pending.is_empty() {
            let missing = GROUP - self.pending.len();
            let (first, rest) = bytes.split_at(missing.min(bytes.len()));
            self.pending.extend_from_slice(first);
            bytes = rest;
            if self.pending.len() == GROUP {
                self.push(group(&self.pending, self.next_group()));
                self.pending.clear();
            }
        }
        let (groups, rest) = bytes.as_chunks::<GROUP>();
        for bytes in groups {
            self.push(group(bytes, self.next_group()));
        }
        self.pending.extend_from_slice(rest);
    }

    /// The hash of the file that begins with `front`, the bytes that were left out.
    ///
    /// # Panics
    /// If their number is another.
    pub(crate) fn finish(self, front: &[u8]) -> blake3::Hash {
        assert_eq!(
            front.len(),
            self.start,
            "the front ends where the rest began"
        );
        let front = [front, &self.early].concat();
        if self.groups == 0 && front.len() + self.pending.len() <= GROUP {
            return Hasher::new()
                .update(&front)
                .update(&self.pending)
                .finalize();
        }
        let first = front.chunks(GROUP).zip(0..);
        let mut subtrees: Vec<Subtree> = first
            .map(|(bytes, number)| Subtree {
                groups: 1,
                value: group(bytes, number),
            })
            .collect();
        subtrees.extend(&self.subtrees);
        if !self.pending.is_empty() {
            subtrees.push(Subtree {
                groups: 1,
                value: group(&self.pending, self.next_group()),
            });
        }
        let (left, right) = branches(&subtrees);
        merge_subtrees_root(&joined(left), &joined(right), Mode::Hash)
    }

    /// Adds the value of the next whole group, and joins subtrees that are two branches of one.
    fn push(&mut self, value: ChainingValue) {
        let (mut first, mut groups, mut value) = (self.next_group(), 1, value);
        while let Some(&left) = self.subtrees.last() {
            // A larger subtree begins at a multiple of its size.
            if left.groups != groups || !(first - groups).is_multiple_of(2 * groups) {
                break;
            }
            self.subtrees.pop();
            value = merge_subtrees_non_root(&left.value, &value, Mode::Hash);
            (first, groups) = (first - groups, 2 * groups);
        }
        self.subtrees.push(Subtree { groups, value });
        self.groups += 1;
    }

    /// Offset of the first group without a byte of the front.
    const fn whole_groups_from(&self) -> usize {
        self.start.next_multiple_of(GROUP)
    }

    /// Number of the next group in the file.
    const fn next_group(&self) -> usize {
        self.whole_groups_from() / GROUP + self.groups
    }
}

/// The value of one group; the last one of the file may be shorter.
fn group(bytes: &[u8], number: usize) -> ChainingValue {
    let mut hasher = Hasher::new();
    hasher.set_input_offset((number * GROUP) as u64);
    hasher.update(bytes).finalize_non_root()
}

/// The two branches of a tree of several subtrees. The left one has the largest power of two of groups
/// that leaves at least one to the right one.
fn branches(subtrees: &[Subtree]) -> (&[Subtree], &[Subtree]) {
    let groups: usize = subtrees.iter().map(|subtree| subtree.groups).sum();
    let (mut left, mut count) = (groups.next_power_of_two() / 2, 0);
    while left > 0 {
        left -= subtrees[count].groups;
        count += 1;
    }
    subtrees.split_at(count)
}

/// The value of a subtree that is not the root.
fn joined(subtrees: &[Subtree]) -> ChainingValue {
    match subtrees {
        [subtree] => subtree.value,
        _ => {
            let (left, right) = branches(subtrees);
            merge_subtrees_non_root(&joined(left), &joined(right), Mode::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(len: usize, start: usize, step: usize) {
        let file: Vec<u8> = (0..len as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut hash = StreamHash::new(start);
        for part in file[start..].chunks(step) {
            hash.update(part);
        }
        assert_eq!(
            hash.finish(&file[..start]),
            blake3::hash(&file),
            "{len} bytes from {start} on, {step} at once"
        );
    }

    #[test]
    fn matches_blake3_at_the_edges_of_groups() {
        for groups in [0, 1, 2, 3, 4, 5, 8, 9] {
            for len in [-1, 0, 1_isize].map(|d| (groups * GROUP).checked_add_signed(d)) {
                let Some(len) = len else { continue };
                for start in [1, 4096, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP] {
                    if start <= len {
                        check(len, start, 196_608);
                        check(len, start, 5_000);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_kept_does_not_grow_with_the_file() {
        let mut hash = StreamHash::new(4096);
        for _ in 0..1000 {
            hash.update(&[7; GROUP]);
        }
        // One bit of the number of groups each, and as many on the way to the first.
        assert!(hash.subtrees.len() <= 20, "{}", hash.subtrees.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn matches_blake3(len in 1_usize..200_000, share in 0.0..1.0_f64, step in 1_usize..60_000) {
            check(len, 1 + ((len - 1) as f64 * share) as usize, step);
        }
    }
}
