//! What an epoch needs of shards in object stores, and when.

use std::collections::BTreeSet;

use shardmill_store::{Course, Set};

use super::feed::Feed;
use super::plan::{EpochPlan, Plan};
use crate::data::CachedSplit;
use crate::error::LoaderError;
use crate::order::EpochOrder;

/// Places that are looked at to find which shards come first in an order that needs all of them.
const LOOKED_AT: u64 = 1 << 16;

/// Batches whose shards have to be open at once: those of two ranks that are a step apart.
const IN_STEP: u64 = 2;

/// Sets of shards, and the place at which each ends.
type Sets = Vec<(Vec<u32>, u64)>;

/// Begins to fetch what the batches from number `step` on need.
pub(crate) fn begin(plan: &Plan, epoch: &EpochPlan, step: u64) -> Result<Feed, LoaderError> {
    let datasets = plan.mix.datasets().iter().enumerate();
    let parts = datasets.map(|(part, dataset)| {
        let Some((split, options)) = dataset.remote() else {
            return Ok(None);
        };
        let session = match plan.sessions.take(part) {
            Some(session) => session,
            None => {
                let files = split.files().to_vec();
                options.open()?.session(split.remote().address(), files)
            }
        };
        let first = plan.sampler.before(epoch.first, step);
        let (sets, course) = needs(plan, epoch, part, first, plan.batches_under_way() as u64);
        let sizes: Vec<u64> = split.files().iter().map(|file| file.bytes).collect();
        let (sets, course) = if course.open_at_once(&sizes) <= session.cache().quota()? {
            (sets, course)
        } else {
            // Threads then wait at the border of a set for the consumer.
            needs(plan, epoch, part, first, IN_STEP)
        };
        // The ranks of one run are in step: they have the same shards open.
        let group = (plan.sampler.ranks > 1).then(|| {
            let sampler = &plan.sampler;
            format!(
                "{} {} {:?} {} {} of {}",
                split.remote().address(),
                dataset.split(),
                sampler.order,
                sampler.seed,
                sampler.batch_size,
                sampler.ranks
            )
        });
        CachedSplit::begin(session, split, sets, course, group).map(Some)
    });
    let parts = parts.collect::<Result<_, _>>()?;
    Ok(Feed::new(parts))
}

/// What an epoch needs of a dataset of the mix from place `first` on, and the next epoch, with the shards of
/// so many batches open at once, but at least [`IN_STEP`].
fn needs(plan: &Plan, epoch: &EpochPlan, part: usize, first: u64, batches: u64) -> (Sets, Course) {
    let runs = plan.sampler.runs.as_deref();
    let Some(sets) = epoch.order.shard_sets(runs) else {
        let shards = by_first_use(plan, &epoch.order, part, first);
        return (vec![(shards.clone(), u64::MAX)], Course::whole(shards));
    };
    let samples = plan.sampler.samples;
    let ahead = batches.max(IN_STEP) * plan.sampler.batch_size;
    let passed = sets.partition_point(|&(_, end)| end <= first);
    let now: Sets = sets.into_iter().skip(passed).collect();
    let next = plan.sampler.epoch(epoch.number + 1, &plan.mix);
    let next = next.shard_sets(runs).unwrap_or_default();
    let mut course = Course {
        sets: Vec::new(),
        epoch: now.len(),
    };
    for sets in [&now, &next] {
        let start = course.sets.len();
        course.sets.extend(sets.iter().map(|(shards, end)| {
            let last = (end - 1).saturating_add(ahead).min(samples - 1);
            Set {
                shards: shards.clone(),
                until: start + sets.partition_point(|&(_, end)| end <= last),
            }
        }));
    }
    (now, course)
}

/// All shards of a dataset of the mix, those that come first at the front.
fn by_first_use(plan: &Plan, order: &EpochOrder, part: usize, first: u64) -> Vec<u32> {
    let dataset = &plan.mix.datasets()[part];
    let (mut shards, mut seen) = (Vec::new(), BTreeSet::new());
    for place in first..plan.sampler.samples.min(first.saturating_add(LOOKED_AT)) {
        let draw = order.draw(place);
        if draw.part != part {
            continue;
        }
        let shard = dataset.shard_of(draw.sample);
        if seen.insert(shard) {
            shards.push(shard);
            if shards.len() == dataset.shards() {
                break;
            }
        }
    }
    shards.extend((0..dataset.shards() as u32).filter(|shard| !seen.contains(shard)));
    shards
}
