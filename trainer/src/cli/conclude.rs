//! What `train` prints at the end of a run.

use shardmill_formats::outln;

use crate::run::{TrainOptions, TrainOutcome};

/// Prints where everything is and which commands go on from there. `called` is what the user calls the
/// program.
pub(super) fn conclude(
    options: &TrainOptions,
    outcome: &TrainOutcome,
    called: &str,
) -> anyhow::Result<()> {
    outln!("")?;
    outln!(
        "metrics     {}",
        outcome.run.join("metrics.jsonl").display()
    )?;
    outln!(
        "last        {} (step {})",
        outcome.last.display(),
        outcome.steps
    )?;
    if let (Some(best), Some(error)) = (&outcome.best, outcome.best_error) {
        let split = outcome.val_split.as_deref().unwrap_or("val");
        outln!(
            "best        {} (top-1 error {error:.2}% of split {split})",
            best.display()
        )?;
    }
    let shards = options.shards.display();
    if !outcome.finished {
        let run = outcome.run.display();
        outln!("stopped after step {}; go on with", outcome.steps)?;
        outln!("  {called} --shards {shards} --out {run} --resume")?;
    } else if outcome.center.is_some() {
        let checkpoint = outcome.best.as_ref().unwrap_or(&outcome.last);
        outln!("evaluate any checkpoint with")?;
        outln!(
            "  {called} eval --checkpoint {} --shards {shards}",
            checkpoint.display()
        )?;
    }
    Ok(())
}
