//! A short training on shards, through the training loop: a resumed run ends in the same bits, and the
//! loss stays finite.

use std::fs;
use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::compute::{Compute, Precision};
use crate::recipe::Recipe;
use crate::run::error::TrainError;
use crate::run::{TrainOptions, TrainOutcome, train};
use crate::tools::check::CheckOptions;
use crate::tools::check::comparisons::{Comparisons, same_bits};

/// Steps of a run, and after how many the other one is stopped.
const STEPS: u64 = 40;
const STOP: u64 = 17;

/// The loss of the last steps must be below ln(classes) times this, or it has diverged.
const BLOWN_UP: f64 = 1.5;

/// Runs it and returns the result as text.
pub(super) fn run(options: &CheckOptions, tally: &mut Comparisons) -> Result<String, TrainError> {
    let scratch = options.beside(".runs");
    fs::create_dir(&scratch).map_err(TrainError::io("make", &scratch))?;
    let done = runs(options, tally);
    // Made above, by nobody else.
    let _ = fs::remove_dir_all(scratch);
    done
}

fn runs(options: &CheckOptions, tally: &mut Comparisons) -> Result<String, TrainError> {
    let straight = one(options, "straight", STEPS, false)?;
    one(options, "stopped", STOP, false)?;
    let resumed = one(options, "stopped", STEPS, true)?;
    let same = same(&straight.last, &resumed.last)?;
    tally.expect("a resumed run has the bits of a straight one", same);
    let state = Checkpoint::peek(&straight.last)?;
    let tally_of_run = state.progress.whole_epoch.scores();
    let loss = tally_of_run.map_or(f64::NAN, |scores| scores.loss);
    let chance = (state.classes.len() as f64).ln();
    tally.expect(
        "the loss of a short training stays near or below that of chance",
        loss < chance * BLOWN_UP,
    );
    let half = one_with(options, "bf16", STEPS, false, Precision::Bf16, false)?;
    Ok(format!(
        "{STEPS} steps of 64 in f32, deterministic, stopped after {STOP} and gone on with: {}. Loss of \
         the epoch at hand {loss:.4}, of chance {chance:.4}. {:.1} s for the straight run, {:.1} s in \
         bf16.\n",
        if same {
            "the same bits"
        } else {
            "**other bits**"
        },
        straight.seconds,
        half.seconds
    ))
}

fn one(
    options: &CheckOptions,
    name: &str,
    steps: u64,
    resume: bool,
) -> Result<TrainOutcome, TrainError> {
    one_with(options, name, steps, resume, Precision::F32, true)
}

fn one_with(
    options: &CheckOptions,
    name: &str,
    steps: u64,
    resume: bool,
    precision: Precision,
    deterministic: bool,
) -> Result<TrainOutcome, TrainError> {
    let mut run = TrainOptions::new(options.shards(), options.beside(".runs").join(name));
    run.recipe = Recipe {
        epochs: STEPS + 1,
        batch_size: 64,
        lr: 0.002,
        ..Recipe::default()
    };
    run.compute = Compute::Cuda(options.cuda(precision, deterministic));
    run.resume = resume;
    run.threads = options.threads();
    run.eval_every = 0;
    run.max_steps = Some(steps);
    run.final_views = Vec::new();
    train(&run)
}

/// Whether two checkpoints hold the same values.
fn same(one: &Path, other: &Path) -> Result<bool, TrainError> {
    let (one, other) = (Checkpoint::read(one)?, Checkpoint::read(other)?);
    let mut same = one.state == other.state && one.tensors.len() == other.tensors.len();
    for (name, tensor) in &one.tensors {
        let values = |tensor: &candle_core::Tensor| {
            tensor
                .flatten_all()
                .and_then(|tensor| tensor.to_vec1::<f32>())
                .map_err(crate::net::ModelError::from)
        };
        let Some(twin) = other.tensors.get(name) else {
            return Ok(false);
        };
        let (own, twin) = (values(tensor)?, values(twin)?);
        same &= same_bits(&own, &twin);
    }
    Ok(same)
}
