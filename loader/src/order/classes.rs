//! How many classes a batch holds; an order of blocks may have fewer than the global order.

use std::collections::BTreeMap;

use super::draw::SampleOrder;
use super::sampler::{EpochOrder, Sampler};

/// The expected number of distinct labels in a batch, averaged over the batches of an epoch, if the
/// samples of each group are shuffled at random. It is exact; for the sequential order it is the actual
/// number. `None` for a mix.
pub(crate) fn expected(
    sampler: &Sampler,
    order: &EpochOrder,
    label: impl Fn(u64) -> i64,
) -> Option<f64> {
    let drawn = order.single()?;
    let steps = sampler.steps(0);
    if steps == 0 {
        return None;
    }
    let total = sampler.samples;
    // The places that are shuffled with each other; in the sequential order, those of a batch.
    let group = |place: u64| match drawn {
        SampleOrder::Global(_) => (0, total),
        SampleOrder::Blocks(blocks) => {
            let group = blocks.group(place);
            (group.start, group.end)
        }
        SampleOrder::Shards(shards) => {
            let group = shards.group(place);
            (group.start, group.end)
        }
        SampleOrder::Sequential => {
            let start = place - place % sampler.batch_size;
            (start, (start + sampler.batch_size).min(total))
        }
    };
    let mut known: BTreeMap<u64, BTreeMap<i64, u64>> = BTreeMap::new();
    let mut absent_in: BTreeMap<(u64, u64), BTreeMap<i64, f64>> = BTreeMap::new();
    let logs = LogFactorials::new(total);
    let mut sum = 0.0;
    for step in 0..steps {
        let start = step * sampler.batch_size;
        let end = (start + sampler.batch_size).min(total);
        // ln of the probability that a class is absent from all parts of the batch.
        let mut absent: BTreeMap<i64, f64> = BTreeMap::new();
        let mut at = start;
        while at < end {
            let (first, last) = group(at);
            let part = last.min(end) - at;
            let counts = known.entry(first).or_insert_with(|| {
                let mut counts = BTreeMap::new();
                for place in first..last {
                    *counts.entry(label(order.draw(place).sample)).or_insert(0) += 1;
                }
                counts
            });
            let here = absent_in.entry((first, part)).or_insert_with(|| {
                let none = |(&class, &count)| (class, logs.absent(last - first, count, part));
                counts.iter().map(none).collect()
            });
            for (&class, ln) in here.iter() {
                *absent.entry(class).or_insert(0.0) += ln;
            }
            at += part;
        }
        sum += absent.values().map(|ln| 1.0 - ln.exp()).sum::<f64>();
        // Places rise, so earlier groups are not needed again.
        let current = group(end - 1).0;
        known = known.split_off(&current);
        absent_in = absent_in.split_off(&(current, 0));
    }
    Some(sum / steps as f64)
}

struct LogFactorials(Vec<f64>);

impl LogFactorials {
    fn new(up_to: u64) -> Self {
        let mut sum = 0.0;
        let next = |i: u64| {
            sum += libm::log(i.max(1) as f64);
            sum
        };
        Self((0..=up_to).map(next).collect())
    }

    fn of(&self, n: u64) -> f64 {
        self.0[n as usize]
    }

    /// ln of the probability that `drawn` of `all` samples, drawn without replacement, include none of
    /// `count` samples: C(all - count, drawn) / C(all, drawn).
    fn absent(&self, all: u64, count: u64, drawn: u64) -> f64 {
        if all - count < drawn {
            return f64::NEG_INFINITY;
        }
        self.of(all - count) - self.of(all - count - drawn) - self.of(all) + self.of(all - drawn)
    }
}
