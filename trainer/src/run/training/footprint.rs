//! An estimate of the memory that training takes, before the first step.

use crate::compute;
use crate::cpu::Network;
use crate::net::Model;
use crate::run::training::Run;

/// Batches that the loader holds at once: the one at hand, one ready, one being filled.
const LOADER_BATCHES: usize = 3;

/// What a training does with a network, as far as memory is concerned.
#[derive(Clone, Copy, Debug)]
struct Workload {
    /// Images of a batch.
    rows: usize,
    /// Threads that compute.
    threads: usize,
    /// Whether a step has several batches.
    accumulates: bool,
    /// Whether a mean image is subtracted from the inputs.
    has_mean_image: bool,
}

/// Bytes that a run holds while it trains `model`: weights, gradients (twice if batches are
/// accumulated), velocities, activations, scratch, the loader's batches, and the copies that a
/// checkpoint is written from. The program itself and the shards' pages in the system's cache are not
/// counted.
fn training(model: &Model, workload: Workload) -> u64 {
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

impl Run<'_> {
    /// Prints the memory that training takes on the CPU, and warns where it is not available.
    pub(super) fn print_memory(&self) {
        let recipe = &self.state.recipe;
        let workload = Workload {
            rows: recipe.batch_size,
            threads: rayon::current_num_threads(),
            accumulates: recipe.accumulate > 1,
            has_mean_image: recipe.mean.cut().is_some(),
        };
        let bytes = training(self.engine.model(), workload);
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        self.screen.say(format_args!(
            "memory    about {:.2} GiB for batches of {}",
            gib(bytes),
            recipe.batch_size
        ));
        if let Some(available) = compute::available_memory().filter(|available| *available < bytes)
        {
            self.screen.say(format_args!(
                "warning: the system has {:.2} GiB left; use a smaller --batch-size, with --accumulate \
                 for the same step",
                gib(available)
            ));
        }
    }
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
    }
}
