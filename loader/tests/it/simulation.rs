//! What a cache smaller than the dataset fetches, beside an offline simulation.

use shardmill_formats::Codec;
use shardmill_loader::{Dataset, Order};

use crate::builder;
use crate::remote::{Both, SHARDS, seen};

/// What an offline simulation fetches that knows all epochs: `sets` are the shards in the order in which
/// each epoch uses them, and `open` says how many sets on are open with each.
fn simulate(sets: &[Vec<usize>], until: &[Vec<usize>], bytes: &[u64], quota: u64) -> Vec<usize> {
    let order: Vec<usize> = sets.concat();
    let (mut present, mut fetched) = (Vec::new(), Vec::new());
    let mut before = 0;
    for (epoch, until) in sets.iter().zip(until) {
        for at in 0..epoch.len() {
            let open = &epoch[at..=until[at]];
            for &shard in open {
                if present.contains(&shard) {
                    continue;
                }
                let used = |present: &[usize]| present.iter().map(|&s| bytes[s]).sum::<u64>();
                while used(&present) + bytes[shard] > quota {
                    let next = |shard: usize| {
                        let later = &order[before + until[at] + 1..];
                        later
                            .iter()
                            .position(|&other| other == shard)
                            .unwrap_or(usize::MAX)
                    };
                    let idle = present
                        .iter()
                        .copied()
                        .filter(|shard| !open.contains(shard));
                    let victim = idle.max_by_key(|&shard| next(shard)).unwrap();
                    present.retain(|&shard| shard != victim);
                }
                present.push(shard);
                fetched.push(shard);
            }
        }
        before += epoch.len();
    }
    fetched
}

#[test]
fn what_is_fetched_is_what_an_offline_simulation_fetches() {
    let both = Both::new(Codec::Raw);
    let local = both.local();
    let shards = local.manifest().splits["train"].shards.clone();
    let bytes: Vec<u64> = shards.iter().map(|shard| shard.bytes).collect();
    let starts: Vec<u64> = (0..=SHARDS.len())
        .map(|shard| SHARDS[..shard].iter().sum::<usize>() as u64)
        .collect();
    let build = |dataset: &Dataset| {
        let builder = builder(dataset).order(Order::Shards { together: 1 });
        builder.batch_size(2).threads(2).build().unwrap()
    };
    // The order of the shards in five epochs, and what is open at once: the shards of two batches.
    let loader = build(&local);
    let (mut sets, mut until) = (Vec::new(), Vec::new());
    for epoch in 0..5 {
        let mut order: Vec<usize> = Vec::new();
        for batch in loader.epoch(epoch) {
            for &index in batch.unwrap().indices() {
                let shard = starts.partition_point(|&start| start <= index) - 1;
                if order.last() != Some(&shard) {
                    order.push(shard);
                }
            }
        }
        assert_eq!(order.len(), SHARDS.len());
        let ends: Vec<usize> = (1..=order.len())
            .map(|sets| order[..sets].iter().map(|&shard| SHARDS[shard]).sum())
            .collect();
        let last = |end: usize| (end - 1 + 4).min(ends[ends.len() - 1] - 1);
        until.push(
            ends.iter()
                .map(|&end| ends.partition_point(|&e| e <= last(end)))
                .collect(),
        );
        sets.push(order);
    }
    // Less than what all batches in the works could use, so that two batches' shards are open.
    let open = |epoch: usize, at: usize| -> u64 {
        let until: &Vec<usize> = &until[epoch];
        sets[epoch][at..=until[at]]
            .iter()
            .map(|&shard| bytes[shard])
            .sum()
    };
    let places = (0..5).flat_map(|epoch| (0..SHARDS.len()).map(move |at| (epoch, at)));
    let quota = places.map(|(epoch, at)| open(epoch, at)).max().unwrap();
    let remote = both.remote(Some(quota));
    let loader = build(&remote);
    both.server.asked();
    for epoch in 0..4 {
        assert_eq!(seen(loader.epoch(epoch)), seen(build(&local).epoch(epoch)));
    }
    drop(loader);
    let mut fetched: Vec<usize> = both
        .server
        .asked()
        .iter()
        .map(|(name, _)| shards.iter().position(|shard| shard.file == *name).unwrap())
        .collect();
    let most = simulate(&sets, &until, &bytes, quota);
    let mut least = simulate(&sets[..4], &until[..4], &bytes, quota);
    // The next epoch's first shards may be on their way when the last epoch ends.
    assert!(
        (least.len()..=most.len()).contains(&fetched.len()),
        "{fetched:?} {least:?}"
    );
    let mut next: Vec<usize> = most[least.len()..].to_vec();
    for list in [&mut fetched, &mut least, &mut next] {
        list.sort_unstable();
    }
    for shard in &least {
        let at = fetched.iter().position(|other| other == shard);
        fetched.remove(at.expect("it is fetched as often as the simulation says"));
    }
    assert!(
        fetched.iter().all(|shard| next.contains(shard)),
        "{fetched:?} beyond the simulation"
    );
}
