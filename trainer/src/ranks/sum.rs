//! The sum of vectors over ranks, in a fixed order.

use std::ops::Range;

use rayon::prelude::*;

/// Values of a task; sums do not depend on it.
const CHUNK: usize = 1 << 14;

/// The part of `whole` rows that is rank `rank`'s of `size`: as many as the others have, or one more for the first
/// ranks. None for the last ones if there are fewer rows than ranks.
#[must_use]
pub(super) const fn part(rank: usize, size: usize, whole: usize) -> Range<usize> {
    let (each, more) = (whole / size, whole % size);
    let extra = if rank < more { rank } else { more };
    let first = rank * each + extra;
    first..first + each + (rank < more) as usize
}

/// Replaces `own`, the values of rank `rank`, by the sums over all ranks: in f64, from rank 0 on, rounded once.
/// `others` has the values of every rank; those of `rank` are ignored.
pub(super) fn add_in_order(own: &mut [f32], others: &[Vec<f32>], rank: usize) {
    let chunks = own.par_chunks_mut(CHUNK).enumerate();
    chunks.for_each(|(number, own)| {
        let first = number * CHUNK;
        for (i, value) in own.iter_mut().enumerate() {
            let mut sum = 0.0_f64;
            for (from, values) in others.iter().enumerate() {
                sum += f64::from(if from == rank {
                    *value
                } else {
                    values[first + i]
                });
            }
            *value = sum as f32;
        }
    });
}

/// Calls `each` with every stretch of consecutive values that a range of the vectors, put together, covers, and with
/// its place in the range.
pub(super) fn stretches(
    vectors: &mut [Vec<f32>],
    range: Range<usize>,
    mut each: impl FnMut(Range<usize>, &mut [f32]),
) {
    let mut first = 0;
    for vector in vectors {
        let end = first + vector.len();
        let (from, to) = (range.start.max(first), range.end.min(end));
        if from < to {
            let place = from - range.start..to - range.start;
            each(place, &mut vector[from - first..to - first]);
        }
        first = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{add_in_order, part, stretches};

    proptest! {
        #[test]
        fn parts_put_together_are_the_whole(size in 1_usize..9, whole in 0_usize..70) {
            let mut next = 0;
            for rank in 0..size {
                let part = part(rank, size, whole);
                prop_assert_eq!(part.start, next);
                prop_assert!(part.len().abs_diff(whole / size) <= 1);
                next = part.end;
            }
            prop_assert_eq!(next, whole);
        }

        #[test]
        fn stretches_are_the_vectors_put_together(lens in prop::collection::vec(0_usize..5, 0..6), block in 1_usize..7) {
            let total: usize = lens.iter().sum();
            let all: Vec<f32> = (0..total).map(|i| i as f32).collect();
            let mut rest = &all[..];
            let mut vectors: Vec<Vec<f32>> = lens.iter().map(|&len| {
                let (own, after) = rest.split_at(len);
                rest = after;
                own.to_vec()
            }).collect();
            let mut joined = vec![-1.0; total];
            let mut first = 0;
            while first < total {
                let end = (first + block).min(total);
                stretches(&mut vectors, first..end, |at, values| {
                    joined[first + at.start..first + at.end].copy_from_slice(values);
                });
                first = end;
            }
            prop_assert_eq!(joined, all);
        }
    }

    /// In f32 and in another order the small values are lost.
    #[test]
    fn sums_are_made_in_f64_from_the_first_rank_on() {
        let small = 2.0_f32.powi(-24);
        let others = [vec![1.0; 40_000], vec![small; 40_000], vec![small; 40_000]];
        for rank in 0..3 {
            let mut own = others[rank].clone();
            add_in_order(&mut own, &others, rank);
            assert_eq!(own, vec![1.0 + 2.0 * small; 40_000]);
        }
    }
}
