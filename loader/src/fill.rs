//! Makes one batch: the same function inline and in every worker.

use std::sync::atomic::{AtomicBool, Ordering};

use half::{bf16, f16};
use shardmill_formats::{Codec, Philox};

use crate::augment::kernel::{Affine, Window};
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
    cancelled: &AtomicBool,
) -> Option<Result<Batch, LoaderError>> {
    let places = plan.sampler.places(step);
    let samples = (places.end - places.start) as usize;
    let valid = plan.sampler.samples.clamp(places.start, places.end) - places.start;
    let crop = plan.policy.crop() as usize;
    let rows_each = plan.policy.rows_per_sample();
    let values = crop * crop * 3;
    if let Err(source) = buffers.resize(samples, samples * rows_each, values, plan.output) {
        let bytes = Buffers::bytes(samples, samples * rows_each, values, plan.output);
        return Some(Err(LoaderError::Memory { bytes, source }));
    }
    for (i, place) in places.enumerate() {
        if cancelled.load(Ordering::Relaxed) {
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
        plan.jitter.as_ref(),
        &epoch.philox,
        sample,
    );
    let crop = plan.policy.crop() as usize;
    let values = crop * crop * 3;
    for (row, view) in (i * rows..).zip(&views[..rows]) {
        let window = if (view.height, view.width) != (crop, crop) || view.tint.is_some() {
            Window {
                rgb: memory.canvas.draw(rgb, dataset.shape(), view, crop),
                width: crop,
                top: 0,
                left: 0,
                crop,
                flip: view.flip,
            }
        } else {
            Window {
                rgb,
                width: dataset.shape().width as usize,
                top: view.top,
                left: view.left,
                crop,
                flip: view.flip,
            }
        };
        let slot = row * values..(row + 1) * values;
        let shift: [f64; 3] = std::array::from_fn(|c| view.shift[c] * plan.scale[c]);
        let affine = Affine {
            scale: plan.scale.map(|s| s as f32),
            offset: std::array::from_fn(|c| (plan.offset[c] + shift[c]) as f32),
        };
        let (kernel, pixels) = (&mut memory.kernel, &mut buffers.pixels);
        let layout = plan.layout;
        match plan.output {
            Output::F32 => {
                kernel.floats::<f32>(window, affine, layout, &mut pixels.values_mut()[slot]);
            }
            Output::F16 => {
                kernel.floats::<f16>(window, affine, layout, &mut pixels.values_mut()[slot]);
            }
            Output::Bf16 => {
                kernel.floats::<bf16>(window, affine, layout, &mut pixels.values_mut()[slot]);
            }
            Output::U8 => {
                buffers.shifts[row] = shift.map(|s| s as f32);
                kernel.bytes(window, layout, &mut pixels.values_mut()[slot]);
            }
        }
    }
    Ok(())
}
