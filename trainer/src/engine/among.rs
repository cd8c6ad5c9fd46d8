//! The metrics of a step over all ranks.

use crate::net::{StepMetrics, StepOutput};
use crate::ranks::{RankError, Ranks};

/// The metrics of the ranks' batches put together, without a norm: the same bits on every rank.
pub(super) fn of_all_ranks(ranks: &Ranks, own: StepMetrics) -> Result<StepMetrics, RankError> {
    let output = own.output;
    let counts = [own.images, output.top1, output.top5].map(|count| (count as u64).to_le_bytes());
    let mut bytes = [0; 32];
    for (to, from) in bytes
        .chunks_exact_mut(8)
        .zip(counts.iter().chain([&output.loss.to_le_bytes()]))
    {
        to.copy_from_slice(from);
    }
    let (mut counts, mut loss) = ([0_usize; 3], 0.0);
    for bytes in ranks.gather(bytes)? {
        let [images, top1, top5, mean] = std::array::from_fn(|i| bytes.as_chunks().0[i]);
        let of_rank = [images, top1, top5].map(|count| u64::from_le_bytes(count) as usize);
        for (sum, count) in counts.iter_mut().zip(of_rank) {
            *sum += count;
        }
        // A rank without images has no loss.
        if of_rank[0] > 0 {
            loss += f64::from_le_bytes(mean) * of_rank[0] as f64;
        }
    }
    let [images, top1, top5] = counts;
    let loss = loss / images as f64;
    Ok(StepMetrics {
        images,
        output: StepOutput { loss, top1, top5 },
        norm: 0.0,
    })
}
