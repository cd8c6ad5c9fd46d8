//! Fills one batch: the same function in the consumer's thread and in every worker.

use std::sync::Arc;

use shardmill_formats::{Codec, Philox, Stream};

use super::batch::Batch;
use super::buffers::Buffers;
use super::meter::Stage;
use super::plan::{EpochPlan, Plan, WorkerMemory};
use super::rows::{Row, Shown, hull, strip};
use super::transform::{Random, Sample};
use crate::data::{Access, BadRecord, Replaced};
use crate::error::LoaderError;
use crate::order::Draw;

/// Fills a batch; `None` if `cancelled` returned `true`, because the epoch was dropped or its consumer
/// stopped waiting.
pub(crate) fn fill(
    plan: &Plan,
    epoch: &EpochPlan,
    step: u64,
    mut buffers: Buffers,
    memory: &mut WorkerMemory,
    cancelled: &dyn Fn() -> bool,
) -> Option<Result<Batch, LoaderError>> {
    let places = epoch.places(plan, step);
    let samples = (places.end - places.start) as usize;
    let valid = plan.sampler.samples.clamp(places.start, places.end) - places.start;
    let crop = plan.augmentation.policy.crop() as usize;
    let rows_each = plan.augmentation.rows_per_sample();
    let values = crop * crop * 3;
    if let Err(source) = buffers.resize(samples, samples * rows_each, values, plan.output) {
        let bytes = Buffers::bytes(samples, samples * rows_each, values, plan.output);
        return Some(Err(LoaderError::Memory { bytes, source }));
    }
    memory.clock.lap(Stage::Buffer);
    for part in plan.mix.datasets() {
        if let Err(error) = part.check_lengths(false) {
            return Some(Err(error));
        }
    }
    for (i, place) in places.clone().enumerate() {
        if cancelled() {
            memory.pool.recycler().recycle(buffers);
            return None;
        }
        let draw = epoch.order.draw(place);
        let feed = Arc::clone(&memory.feed);
        let access = match feed.part(draw.part) {
            // What fills up the last batch comes from the beginning of the order, which may be used up.
            Some(cached) if place < plan.sampler.samples => Access::Cached(cached, cancelled),
            _ => Access::Direct,
        };
        let sample = Place { draw, access, i };
        match fill_or_replace(plan, epoch, sample, &mut buffers, memory) {
            Ok(()) => {}
            Err(LoaderError::Stopped) => {
                memory.pool.recycler().recycle(buffers);
                return None;
            }
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(Batch {
        buffers,
        recycler: memory.pool.recycler(),
        mix: plan.mix.clone(),
        step,
        places,
        samples_after: plan.sampler.before(epoch.first, step + 1),
        valid: valid as usize,
        rows: samples * rows_each,
        crop,
        layout: plan.layout,
        output: plan.output,
    }))
}

/// Samples that are tried as a replacement for a damaged one. If all of them are damaged too, so is much
/// of the dataset.
const TRIES: u32 = 32;

/// A sample, how its record is reached, and its number in the batch.
#[derive(Clone, Copy)]
struct Place<'a> {
    draw: Draw,
    access: Access<'a>,
    i: usize,
}

fn fill_or_replace(
    plan: &Plan,
    epoch: &EpochPlan,
    place: Place<'_>,
    buffers: &mut Buffers,
    memory: &mut WorkerMemory,
) -> Result<(), LoaderError> {
    let Place { draw, i, .. } = place;
    let error = match fill_sample(plan, epoch, place, buffers, memory) {
        Err(error) if plan.on_bad_record == BadRecord::Replace && error.is_bad_record() => error,
        outcome => return outcome,
    };
    let philox = Philox::new(plan.sampler.seed, Stream::Replace).derive(epoch.number);
    let samples = plan.mix.datasets()[draw.part].len();
    for attempt in 0..TRIES {
        let [low, high, ..] = philox.block(draw.stream, attempt);
        let word = u128::from(u64::from(high) << 32 | u64::from(low));
        let other = Draw {
            sample: ((word * u128::from(samples)) >> 64) as u64,
            ..draw
        };
        // Its shard may not be among those that are open.
        let place = Place {
            draw: other,
            access: Access::Direct,
            i,
        };
        match fill_sample(plan, epoch, place, buffers, memory) {
            Err(error) if error.is_bad_record() => {}
            Err(error) => return Err(error),
            Ok(()) => {
                buffers.replaced.push(Replaced {
                    place: i,
                    bad: plan.mix.index(draw.part, draw.sample),
                    by: plan.mix.index(draw.part, other.sample),
                });
                return Ok(());
            }
        }
    }
    Err(error)
}

fn fill_sample(
    plan: &Plan,
    epoch: &EpochPlan,
    place: Place<'_>,
    buffers: &mut Buffers,
    memory: &mut WorkerMemory,
) -> Result<(), LoaderError> {
    let Place { draw, access, i } = place;
    let (dataset, sample) = (&plan.mix.datasets()[draw.part], draw.sample);
    let index = plan.mix.index(draw.part, sample);
    let stored = dataset.stored_with(sample, plan.verify, access)?;
    let stored = &*stored;
    memory.clock.lap(Stage::Read);
    buffers.samples[i] = index;
    buffers.labels[i] = dataset.label(sample);
    let WorkerMemory {
        decoder,
        record,
        views,
        row: row_memory,
        clock,
        ..
    } = memory;
    // They are drawn before the record is decoded, so that no more of it is decoded than they show.
    let drawn = epoch.views.iter();
    views.clear();
    views.extend(drawn.flat_map(|view| plan.augmentation.rows(dataset.shape(), view, draw)));
    let first_row = i * plan.augmentation.rows_per_sample();
    let bad_record = |source| dataset.bad_record(sample, source);
    match (&plan.transform, &views[..]) {
        (None, [view]) if view.tint.is_none() => {
            let mut row = Row::begin(plan, view, first_row, buffers, row_memory);
            let decoded = decoder.window(stored, view.window(), &mut |rows| {
                clock.lap(Stage::Decode);
                row.write(strip(rows));
                clock.lap(Stage::Augment);
            });
            decoded.map_err(bad_record)?;
            clock.lap(Stage::Decode);
        }
        (None, _) => {
            let image = match dataset.codec() {
                // They are used in place, in the map.
                Codec::Raw => Shown::whole(stored, dataset.shape()),
                _ => {
                    let shown = Shown::decode(decoder, stored, hull(views), record);
                    shown.map_err(bad_record)?
                }
            };
            clock.lap(Stage::Decode);
            image.fill_rows(plan, views, first_row, buffers, row_memory);
        }
        (Some(transform), _) => {
            decoder.decode(stored, record).map_err(bad_record)?;
            clock.lap(Stage::Decode);
            let philox = Philox::new(plan.sampler.seed, Stream::Transform).derive(epoch.number);
            let mut sample = Sample {
                rgb: record,
                shape: dataset.shape(),
                label: buffers.labels[i],
                key: dataset.key(sample),
                index,
                epoch: epoch.number,
                random: Random::new(philox, draw.stream),
            };
            transform(&mut sample).map_err(|source| LoaderError::Transform {
                index,
                key: sample.key.to_owned(),
                source,
            })?;
            buffers.labels[i] = sample.label;
            clock.lap(Stage::Transform);
            let image = Shown::whole(record, dataset.shape());
            image.fill_rows(plan, views, first_row, buffers, row_memory);
        }
    }
    clock.lap(Stage::Augment);
    if plan.beyond_memory {
        dataset.release(sample);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
