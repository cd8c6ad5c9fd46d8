//! Which records of a dataset stay.

use std::collections::BTreeMap;

use shardmill_formats::{Manifest, Permutation, Philox, Stream};

use super::SubsetOptions;
use crate::error::PrepError;
use crate::io::{Place, space};
use crate::shards::Shard;

/// Which records stay: for each split, for each of its shards, their numbers in the shard.
pub(super) struct Choice<'a> {
    pub(super) splits: Vec<(&'a str, Vec<Vec<u32>>)>,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// Chooses the records of the classes with these labels.
pub(super) fn choose<'a>(
    options: &SubsetOptions,
    place: &Place,
    manifest: &'a Manifest,
    labels: &BTreeMap<usize, i64>,
) -> Result<Choice<'a>, PrepError> {
    let mut choice = Choice {
        splits: Vec::new(),
        records: 0,
        bytes: 0,
    };
    for (name, split) in &manifest.splits {
        // Places of each kept class, in the order of the split: shard and record; and their bytes.
        let mut places: BTreeMap<i64, (Vec<(u32, u32)>, u64)> = BTreeMap::new();
        for (number, entry) in (0..).zip(&split.shards) {
            let shard = Shard::open(place, manifest, name, entry)?;
            for i in 0..shard.len() {
                let label = shard.label(i);
                let kept = usize::try_from(label).map_or(options.classes.is_none(), |label| {
                    labels.contains_key(&label)
                });
                if kept {
                    let (places, bytes) = places.entry(label).or_default();
                    places.push((number, i as u32));
                    *bytes += shard.record_bytes(i) as u64 + space::INDEX_BYTES;
                }
            }
        }
        let mut shards = vec![Vec::new(); split.shards.len()];
        for (label, (places, bytes)) in places {
            let count = places.len() as u64;
            let mut kept = 0;
            for place in thin(options, name, label, count) {
                let (shard, record) = places[place as usize];
                shards[shard as usize].push(record);
                kept += 1;
            }
            choice.records += kept;
            choice.bytes += bytes / count * kept;
        }
        if shards.iter().any(|records| !records.is_empty()) {
            shards
                .iter_mut()
                .for_each(|records| records.sort_unstable());
            choice.splits.push((name, shards));
        }
    }
    if choice.records == 0 {
        let reason =
            "no split holds records of the classes kept; `prep inspect` shows what there is";
        return Err(PrepError::NothingLeft(reason.to_owned()));
    }
    Ok(choice)
}

/// Which of the `count` records of a class stay, by their number among them.
fn thin(
    options: &SubsetOptions,
    split: &str,
    label: i64,
    count: u64,
) -> impl Iterator<Item = u64> + use<> {
    let share = (options.fraction * count as f64).round() as u64;
    let keep = share
        .clamp(1, count)
        .min(options.per_class.unwrap_or(u64::MAX));
    // The name and not the number of the split, so that another split changes nothing.
    let hash = blake3::hash(split.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    let tweak = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let philox = Philox::new(options.seed, Stream::Subset).derive(tweak);
    let permutation = Permutation::new(count, &philox, label as u64);
    (0..keep).map(move |i| permutation.at(i))
}

/// Sizes of the fewest shards of at most `largest` records, which differ by at most one.
pub(super) fn even_sizes(records: u64, largest: Option<u64>) -> Vec<u64> {
    let count = records.div_ceil(largest.unwrap_or(records).max(1));
    let bound = |i| (u128::from(i) * u128::from(records) / u128::from(count)) as u64;
    (0..count).map(|i: u64| bound(i + 1) - bound(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_even_and_complete() {
        assert_eq!(even_sizes(10, Some(4)), [3, 3, 4]);
        assert_eq!(even_sizes(4, Some(4)), [4]);
        assert_eq!(even_sizes(1, Some(400)), [1]);
        assert!(even_sizes(0, None).is_empty());
    }

    #[test]
    fn a_larger_share_keeps_what_a_smaller_one_kept() {
        let mut options = SubsetOptions::new("a", "b");
        options.fraction = 0.1;
        let few: Vec<u64> = thin(&options, "train", 3, 100).collect();
        options.fraction = 0.5;
        let more: Vec<u64> = thin(&options, "train", 3, 100).collect();
        assert_eq!((few.len(), more.len()), (10, 50));
        assert!(more.starts_with(&few));
        options.per_class = Some(7);
        assert!(few.starts_with(&thin(&options, "train", 3, 100).collect::<Vec<_>>()));
        options.fraction = 1e-9;
        assert_eq!(thin(&options, "train", 3, 100).count(), 1);
    }
}
