//! An estimate of the memory that training takes, before the first step.

use crate::cpu::network::Network;
use crate::net::Model;

/// Batches that the loader holds at once: the one at hand, one ready, one being filled.
const LOADER_BATCHES: usize = 3;

/// What a training does with a network, as far as memory is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// Images of a batch.
    pub(crate) rows: usize,
    /// Threads that compute.
    pub(crate) threads: usize,
    /// Whether a step has several batches.
    pub(crate) accumulates: bool,
    /// Whether a mean image is subtracted from the inputs.
    pub(crate) has_mean_image: bool,
}

/// Bytes that a run holds while it trains `model`: weights, gradients (twice if batches are
/// accumulated), velocities, activations, scratch, the loader's batches, and the copies that a
/// checkpoint is written from. The program itself and the shards' pages in the system's cache are not
/// counted.
pub(crate) fn training(model: &Model, workload: Workload) -> u64 {
    let Workload { rows, threads, .. } = workload;
    let parameters: usize = model.parameters().iter().map(|p| p.len()).sum();
    let copies = if workload.accumulates { 4 } else { 3 };
    let side = model.config().input_size;
    let largest = model
        .parameters()
        .iter()
        .map(|p| p.len())
        .max()
        .unwrap_or(0);
    // A checkpoint is written from a copy of the velocities, and of one tensor in two forms.
    let saving = parameters + 2 * largest;
    // Subtracting a mean image makes a second copy of a batch.
    let batches = LOADER_BATCHES + usize::from(workload.has_mean_image);
    let values = copies * parameters + saving + batches * rows * side * side * 3;
    (values * size_of::<f32>() + Network::buffer_bytes(model, rows, threads)) as u64
}

/// Bytes that the system could still give, where it tells.
pub(crate) fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::config::ModelConfig;

    #[test]
    fn activations_grow_with_the_images_and_parameters_do_not() {
        let model = Model::new(
            &ModelConfig {
                width: 0.05,
                ..ModelConfig::alexnet()
            },
            1,
        );
        let model = model.unwrap();
        let workload = Workload {
            rows: 64,
            threads: 2,
            accumulates: false,
            has_mean_image: false,
        };
        let [small, large] = [64, 128].map(|rows| training(&model, Workload { rows, ..workload }));
        assert!(small < large && large < 2 * small, "{small} {large}");
        for larger in [
            Workload {
                accumulates: true,
                ..workload
            },
            Workload {
                has_mean_image: true,
                ..workload
            },
        ] {
            assert!(training(&model, larger) > small);
        }
        assert!(available().is_none_or(|bytes| bytes > 1 << 20));
    }
}
