use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::course::Set;
use super::*;

/// Shards of these sizes, the order of each epoch, and how many of them are a set.
#[derive(Clone, Debug)]
struct Dataset {
    bytes: Vec<u64>,
    epochs: Vec<Vec<u32>>,
    together: usize,
}

impl Dataset {
    /// The sets of two epochs from number `epoch` on; with each set, the next one of its epoch opens.
    fn course(&self, epoch: usize) -> Course {
        let mut sets: Vec<Set> = Vec::new();
        let mut first = 0;
        for order in self.epochs.iter().skip(epoch).take(2) {
            let start = sets.len();
            let end = start + order.len().div_ceil(self.together);
            sets.extend(
                order
                    .chunks(self.together)
                    .enumerate()
                    .map(|(i, shards)| Set {
                        shards: shards.to_vec(),
                        until: (start + i + 1).min(end - 1),
                    }),
            );
            first = if start == 0 { end } else { first };
        }
        Course { sets, epoch: first }
    }

    /// What opens with each set, over all epochs.
    fn open(&self) -> Vec<Vec<u32>> {
        let epochs = (0..self.epochs.len()).map(|epoch| self.course(epoch));
        let open = epochs.flat_map(|course| {
            let open = |number: usize| {
                let together = &course.sets[number..=course.sets[number].until];
                together.iter().flat_map(|set| set.shards.clone()).collect()
            };
            (0..course.epoch).map(open).collect::<Vec<_>>()
        });
        open.collect()
    }

    /// The sets of all epochs.
    fn sets(&self) -> Vec<&[u32]> {
        let epochs = self.epochs.iter();
        epochs
            .flat_map(|order| order.chunks(self.together))
            .collect()
    }

    fn least_quota(&self) -> u64 {
        let sum = |shards: &Vec<u32>| shards.iter().map(|&s| self.bytes[s as usize]).sum();
        self.open().iter().map(sum).max().unwrap_or(0)
    }

    /// The offline simulation: it reads one set after the other, knows all of them, and makes room when
    /// room is needed. Returns what it fetches, in order.
    fn simulate(&self, quota: u64) -> Vec<u32> {
        let (open, sets) = (self.open(), self.sets());
        let mut present: BTreeSet<u32> = BTreeSet::new();
        let mut fetched = Vec::new();
        for (at, shards) in open.iter().enumerate() {
            for &shard in shards {
                if present.contains(&shard) {
                    continue;
                }
                let size = |shard: &u32| self.bytes[*shard as usize];
                while present.iter().map(size).sum::<u64>() + size(&shard) > quota {
                    let next = |shard: u32| {
                        let later = sets.iter().skip(at + 1);
                        later.take_while(|set| !set.contains(&shard)).count()
                    };
                    let idle = present
                        .iter()
                        .copied()
                        .filter(|shard| !shards.contains(shard));
                    let victim = idle.max_by_key(|&shard| (next(shard), Reverse(shard)));
                    present.remove(&victim.expect("what is open fits"));
                }
                present.insert(shard);
                fetched.push(shard);
            }
        }
        fetched
    }

    /// The fewest fetches of any way to make room, for shards of size 1: by trying all of them.
    fn optimum(&self, quota: usize) -> usize {
        let mut costs: BTreeMap<BTreeSet<u32>, usize> = BTreeMap::from([(BTreeSet::new(), 0)]);
        for open in self.open() {
            let open: BTreeSet<u32> = open.into_iter().collect();
            let mut after: BTreeMap<BTreeSet<u32>, usize> = BTreeMap::new();
            for (present, cost) in costs {
                let missing = open.difference(&present).count();
                let kept: Vec<u32> = present.difference(&open).copied().collect();
                for choice in 0..1_u32 << kept.len() {
                    let kept = kept
                        .iter()
                        .enumerate()
                        .filter(|(i, _)| choice >> i & 1 == 1);
                    let mut next = open.clone();
                    next.extend(kept.map(|(_, &shard)| shard));
                    if next.len() <= quota {
                        let least = after.entry(next).or_insert(usize::MAX);
                        *least = (cost + missing).min(*least);
                    }
                }
            }
            costs = after;
        }
        costs.into_values().min().unwrap_or(0)
    }

    /// Reads all epochs through the policy, with a network and a consumer that are as fast as `speeds` say.
    /// Returns what was fetched, in order.
    fn run(&self, quota: u64, speeds: &[u8]) -> Vec<u32> {
        let mut policy = Policy::new(quota);
        let ids: Vec<ShardId> = self
            .bytes
            .iter()
            .map(|&b| policy.add(b, State::Absent))
            .collect();
        let (mut fetched, mut arriving) = (Vec::new(), Vec::new());
        let mut speeds = speeds.iter().cycle();
        for epoch in 0..self.epochs.len() {
            let course = self.course(epoch);
            policy.begin(7, ids.clone(), course.clone(), None);
            let (mut at, mut idle) = (0, 0);
            while at < course.epoch {
                assert!(idle < 10_000, "nothing happens any more");
                idle += 1;
                match speeds.next().expect("a speed") % 3 {
                    0 => {
                        let open = course.sets[at..=course.sets[at].until].iter();
                        let open: BTreeSet<u32> = open.flat_map(|set| set.shards.clone()).collect();
                        if policy.ready(7) == open.into_iter().collect::<Vec<_>>() {
                            at += 1;
                            policy.advance(7, at);
                            idle = 0;
                        }
                    }
                    1 if !arriving.is_empty() => {
                        let first = arriving.remove(0);
                        policy.set(first, State::Present);
                        idle = 0;
                    }
                    _ => match policy.decide() {
                        Decision::Fetch { shard, evict } => {
                            for victim in evict {
                                assert_eq!(policy.state(victim), State::Present);
                                policy.set(victim, State::Absent);
                            }
                            policy.set(shard, State::Arriving);
                            assert!(policy.used() <= quota);
                            arriving.push(shard);
                            fetched.push(shard as u32);
                            idle = 0;
                        }
                        Decision::Evict(shards) => panic!("{shards:?} go without need"),
                        Decision::Wait => {}
                    },
                }
            }
        }
        fetched
    }
}

fn datasets(largest: u64) -> impl Strategy<Value = Dataset> {
    (2_usize..9, 1_usize..4, 1_usize..4).prop_flat_map(move |(shards, together, epochs)| {
        let order = Just((0..shards as u32).collect::<Vec<_>>()).prop_shuffle();
        let bytes = proptest::collection::vec(1..=largest, shards);
        (bytes, proptest::collection::vec(order, epochs)).prop_map(move |(bytes, epochs)| Dataset {
            bytes,
            epochs,
            together,
        })
    })
}

proptest! {
    #[test]
    fn what_is_fetched_is_what_the_simulation_fetches_at_any_speed(
        dataset in datasets(5), more in 0_u64..12, speeds in proptest::collection::vec(0_u8..6, 1..40)
    ) {
        prop_assume!((0..3).all(|kind| speeds.iter().any(|speed| match kind {
            0 => speed % 3 == 0,
            1 => speed % 3 == 1,
            _ => speed % 3 == 2,
        })));
        let quota = dataset.least_quota() + more;
        let expected = dataset.simulate(quota);
        prop_assert_eq!(dataset.run(quota, &speeds), expected);
    }

    #[test]
    fn the_simulation_is_the_optimum(dataset in datasets(1), more in 0_u64..4) {
        prop_assume!(dataset.bytes.len() < 8);
        let quota = dataset.least_quota() + more;
        prop_assert_eq!(dataset.simulate(quota).len(), dataset.optimum(quota as usize));
    }
}

/// A user with a whole dataset of shards of one byte each.
fn whole(shards: u32) -> Course {
    Course::whole((0..shards).collect())
}

#[test]
fn what_another_user_has_open_stays() {
    let mut policy = Policy::new(4);
    let ids: Vec<ShardId> = (0..6).map(|_| policy.add(1, State::Absent)).collect();
    policy.begin(1, ids[..2].to_vec(), whole(2), None);
    policy.begin(2, ids[2..4].to_vec(), whole(2), None);
    for &shard in &ids[..4] {
        policy.set(shard, State::Present);
    }
    assert_eq!(policy.open_at_once(0, None), 4);
    policy.begin(3, ids[4..].to_vec(), whole(2), None);
    assert_eq!(policy.decide(), Decision::Wait);
    assert_eq!(policy.open_at_once(0, None), 6);
    policy.end_epoch(1);
    assert_eq!(policy.open_at_once(0, None), 4);
    let evict = vec![0];
    assert_eq!(policy.decide(), Decision::Fetch { shard: 4, evict });
    policy.begin(1, ids[..2].to_vec(), whole(2), None);
    policy.leave(2);
    let evict = vec![2];
    assert_eq!(policy.decide(), Decision::Fetch { shard: 4, evict });
}

#[test]
fn processes_of_one_group_count_once() {
    let mut policy = Policy::new(4);
    let ids: Vec<ShardId> = (0..2).map(|_| policy.add(1, State::Absent)).collect();
    for rank in 0..3 {
        policy.begin(rank, ids.clone(), whole(2), Some("run".to_owned()));
    }
    policy.begin(3, ids, whole(2), None);
    assert_eq!(policy.open_at_once(9, None), 4);
    assert_eq!(policy.open_at_once(9, Some("run")), 2);
    assert_eq!(policy.open_at_once(3, None), 2);
}

#[test]
fn a_cache_that_is_too_full_gives_up_what_nobody_uses() {
    let mut policy = Policy::new(2);
    let ids: Vec<ShardId> = (0..4).map(|_| policy.add(1, State::Present)).collect();
    policy.begin(1, vec![ids[3]], whole(1), None);
    assert_eq!(policy.decide(), Decision::Evict(vec![0, 1]));
}

#[test]
fn what_cannot_be_fetched_is_tried_again_in_another_epoch_only() {
    let mut policy = Policy::new(2);
    let ids = vec![policy.add(1, State::Absent)];
    policy.begin(1, ids.clone(), whole(1), None);
    policy.set(ids[0], State::Failed);
    assert_eq!(policy.decide(), Decision::Wait);
    policy.begin(1, ids.clone(), whole(1), None);
    let shard = ids[0];
    assert_eq!(
        policy.decide(),
        Decision::Fetch {
            shard,
            evict: vec![]
        }
    );
}
