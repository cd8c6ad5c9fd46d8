//! Makes one batch: the same function inline and in every worker.

use shardmill_formats::{Codec, Philox};

use crate::augment::kernel::{Window, to_f32, to_u8};
use crate::augment::views;
use crate::batch::{Batch, Buffers};
use crate::error::LoaderError;
use crate::loader::{Plan, WorkerMemory};
use crate::sampler::Order;
use crate::settings::Output;

/// One epoch's randomness.
pub(crate) struct EpochPlan {
    pub(crate) order: Order,
    pub(crate) philox: Philox,
}

/// Fills a batch; `None` if the epoch was dropped meanwhile.
pub(crate) fn fill(
    plan: &Plan,
    epoch: &EpochPlan,
    step: u64,
    mut buffers: Buffers,
    memory: &mut WorkerMemory,
    cancelled: &dyn Fn() -> bool,
) -> Option<Result<Batch, LoaderError>> {
    let places = plan.sampler.places(step);
    let samples = (places.end - places.start) as usize;
    let valid = plan.sampler.samples.clamp(places.start, places.end) - places.start;
    let crop = plan.policy.crop() as usize;
    let rows_each = plan.policy.rows_per_sample();
    let values = crop * crop * 3;
    buffers.resize(samples, samples * rows_each, values, plan.output);
    for (i, place) in places.enumerate() {
        if cancelled() {
            return None;
        }
        let sample = epoch.order.sample(place);
        if let Err(error) = fill_sample(plan, epoch, sample, i, &mut buffers, memory) {
            return Some(Err(error));
        }
        buffers.labels[i] = plan.dataset.label(sample);
        buffers.samples[i] = sample;
    }
    Some(Ok(Batch {
        buffers,
        home: plan.pool.0.clone(),
        step,
        valid: valid as usize,
        rows: samples * rows_each,
        crop,
        layout: plan.layout,
        output: plan.output,
    }))
}

fn fill_sample(
    plan: &Plan,
    epoch: &EpochPlan,
    sample: u64,
    i: usize,
    buffers: &mut Buffers,
    memory: &mut WorkerMemory,
) -> Result<(), LoaderError> {
    let dataset = &plan.dataset;
    // Raw records are used where they lie in the map.
    let rgb = if dataset.codec() == Codec::Raw {
        dataset.stored(sample)?
    } else {
        dataset.decode(sample, &mut memory.decoder, &mut memory.record)?;
        &memory.record
    };
    let (views, rows) = views(
        plan.policy,
        dataset.shape(),
        plan.noise.as_ref(),
        &epoch.philox,
        sample,
    );
    let crop = plan.policy.crop() as usize;
    let values = crop * crop * 3;
    for (row, view) in (i * rows..).zip(&views[..rows]) {
        let window = Window {
            rgb,
            width: dataset.shape().width as usize,
            top: view.top,
            left: view.left,
            crop,
            flip: view.flip,
        };
        let slot = row * values..(row + 1) * values;
        let shift: [f64; 3] = std::array::from_fn(|c| view.shift[c] * plan.scale[c]);
        match plan.output {
            Output::F32 => {
                let scale = plan.scale.map(|s| s as f32);
                let offset = std::array::from_fn(|c| (plan.offset[c] + shift[c]) as f32);
                let out = &mut buffers.f32s[slot];
                to_f32(window, scale, offset, plan.layout, &mut memory.scratch, out);
            }
            Output::U8 => {
                buffers.shifts[row] = shift.map(|s| s as f32);
                to_u8(
                    window,
                    plan.layout,
                    &mut memory.scratch,
                    &mut buffers.u8s[slot],
                );
            }
        }
    }
    Ok(())
}
