//! Images a second of the paper's network.

use std::fmt::Write as _;

use shardmill_formats::errln;

use crate::compute::{Compute, Precision};
use crate::run::error::TrainError;
use crate::tools::bench::{self, BenchOptions};
use crate::tools::check::CheckOptions;
use crate::tools::check::fragment::Fragment;

/// Batch sizes.
const BATCHES: [usize; 4] = [128, 512, 1024, 2048];

/// Timed steps of each.
pub(super) const STEPS: usize = 30;

/// Speed at each batch size, with and without training, the largest interest first.
pub(super) fn run(options: &CheckOptions, found: &mut Fragment) -> Result<(), TrainError> {
    found.say(&format!(
        "The paper's network; medians of {STEPS} steps, each waited for, images already in GPU memory.\n\n\
         | precision | batch | training, images/s | inference, images/s | a step, ms (min to max) |\n\
         |---|---|---|---|---|\n"
    ))?;
    for precision in [Precision::Bf16, Precision::Tf32, Precision::F32] {
        for batch_size in BATCHES {
            let name = precision.name();
            errln!("batches of {batch_size} in {name}");
            let mut row = String::new();
            found.attempt(&format!("batches of {batch_size} in {name}"), |_| {
                let report = bench::run(&BenchOptions {
                    batch_size,
                    steps: STEPS,
                    compute: Compute::Cuda(options.cuda(precision, false)),
                    ..BenchOptions::default()
                })?;
                let (cells, step) = (report.speed_cells(), report.step_cell());
                let _ = writeln!(row, "| {name} | {batch_size} | {cells} | {step} |");
                Ok(())
            })?;
            found.say(&row)?;
        }
    }
    Ok(())
}
