//! Images a second of the paper's network, and what the parts of a step take.

use std::fmt::Write as _;

use shardmill_formats::errln;

use crate::compute::{Compute, Precision};
use crate::run::error::TrainError;
use crate::tools::bench::{self, BenchOptions};
use crate::tools::check::CheckOptions;
use crate::tools::check::fragment::Fragment;

/// Batch sizes.
const BATCHES: [usize; 4] = [128, 512, 1024, 2048];

/// The batch size whose step is taken apart.
const TAKEN_APART: usize = 1024;

/// Timed steps of each.
pub(super) const STEPS: usize = 30;

/// Speed at each batch size, with and without training, the largest interest first.
pub(super) fn run(options: &CheckOptions, found: &mut Fragment) -> Result<(), TrainError> {
    found.say(&format!(
        "The paper's network; medians of {STEPS} steps, each waited for, images already in GPU memory.\n\n\
         | precision | batch | training, images/s | inference, images/s | a step, ms (min to max) |\n\
         |---|---|---|---|---|\n"
    ))?;
    let mut apart = String::new();
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
                    stages: batch_size == TAKEN_APART,
                    ..BenchOptions::default()
                })?;
                let (cells, step) = (report.speed_cells(), report.step_cell());
                let _ = writeln!(row, "| {name} | {batch_size} | {cells} | {step} |");
                if batch_size == TAKEN_APART {
                    let tables = report.stage_tables();
                    let _ = writeln!(apart, "\nBatches of {batch_size} in {name}:\n\n{tables}");
                }
                Ok(())
            })?;
            found.say(&row)?;
        }
    }
    found.say(&apart)
}
