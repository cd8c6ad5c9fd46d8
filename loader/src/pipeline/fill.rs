//! Fills one batch: the same function in the consumer's thread and in every worker.

use shardmill_formats::{Codec, Philox, Stream};
use shardmill_kernels::{Floats, Image, Strip, Values};

use super::batch::Batch;
use super::buffers::Buffers;
use super::meter::Stage;
use super::plan::{EpochPlan, Plan, RowMemory, WorkerMemory};
use super::transform::{Random, Sample};
use crate::augment::View;
use crate::data::{BadRecord, Replaced};
use crate::error::LoaderError;
use crate::order::Draw;
use crate::settings::Output;

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
        if let Err(error) = fill_or_replace(plan, epoch, draw, i, &mut buffers, memory) {
            return Some(Err(error));
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

fn fill_or_replace(
    plan: &Plan,
    epoch: &EpochPlan,
    draw: Draw,
    i: usize,
    buffers: &mut Buffers,
    memory: &mut WorkerMemory,
) -> Result<(), LoaderError> {
    let error = match fill_sample(plan, epoch, draw, i, buffers, memory) {
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
        match fill_sample(plan, epoch, other, i, buffers, memory) {
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
    draw: Draw,
    i: usize,
    buffers: &mut Buffers,
    memory: &mut WorkerMemory,
) -> Result<(), LoaderError> {
    let (dataset, sample) = (&plan.mix.datasets()[draw.part], draw.sample);
    let index = plan.mix.index(draw.part, sample);
    let stored = dataset.stored_with(sample, plan.verify)?;
    memory.clock.lap(Stage::Read);
    buffers.samples[i] = index;
    buffers.labels[i] = dataset.label(sample);
    // Raw records are used in place, in the map, unless the transform changes them.
    let rgb = if dataset.codec() == Codec::Raw && plan.transform.is_none() {
        stored
    } else {
        dataset.decode(sample, stored, &mut memory.decoder, &mut memory.record)?;
        memory.clock.lap(Stage::Decode);
        if let Some(transform) = &plan.transform {
            let philox = Philox::new(plan.sampler.seed, Stream::Transform).derive(epoch.number);
            let mut sample = Sample {
                rgb: &mut memory.record,
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
            memory.clock.lap(Stage::Transform);
        }
        &memory.record
    };
    let image = Image {
        rgb,
        width: dataset.shape().width as usize,
    };
    let views = epoch.views.iter();
    let drawn = views.flat_map(|view| plan.augmentation.rows(dataset.shape(), view, draw));
    for (row, view) in (i * plan.augmentation.rows_per_sample()..).zip(drawn) {
        fill_row(plan, &view, image, row, buffers, &mut memory.row);
    }
    memory.clock.lap(Stage::Augment);
    if plan.beyond_memory {
        dataset.release(sample);
    }
    Ok(())
}

/// Writes what a view shows of a record into a row.
fn fill_row(
    plan: &Plan,
    view: &View,
    image: Image<'_>,
    row: usize,
    buffers: &mut Buffers,
    memory: &mut RowMemory,
) {
    let crop = plan.augmentation.policy.crop() as usize;
    buffers.areas[row] = view.area();
    let values = crop * crop * 3;
    let slot = row * values..(row + 1) * values;
    let shift = plan.normalization.shift(view.shift);
    let affine = plan.normalization.affine(shift);
    let pixels = &mut buffers.pixels;
    let values = match plan.output {
        Output::F32 => Values::Floats(affine, Floats::F32(&mut pixels.values_mut()[slot])),
        Output::F16 => Values::Floats(affine, Floats::F16(&mut pixels.values_mut()[slot])),
        Output::Bf16 => Values::Floats(affine, Floats::Bf16(&mut pixels.values_mut()[slot])),
        Output::U8 => {
            buffers.shifts[row] = shift.map(|s| s as f32);
            Values::Bytes(&mut pixels.values_mut()[slot])
        }
    };
    let mut slot = memory.kernel.slot(crop, view.flip, plan.layout, values);
    if view.tint.is_some() {
        let tint = view.tint.as_ref();
        let strip = Strip {
            rgb: memory.canvas.draw(image, view.area, tint, crop),
            stride: crop * 3,
            rows: crop,
        };
        slot.write(0, strip);
    } else if (view.area.height, view.area.width) == (crop, crop) {
        slot.write(0, image.strip(view.area));
    } else {
        let (height, width) = (view.area.height, view.area.width);
        let mut window = memory.resize.begin(height, width, slot);
        window.rows(image.strip(view.area));
    }
}

#[cfg(test)]
mod tests;
