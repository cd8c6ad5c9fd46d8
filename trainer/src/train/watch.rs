//! Watches for a loss that never leaves its starting point.

use crate::checkpoint::RunState;

/// Steps after which the loss is looked at, and how many before that are averaged.
const STEPS: u64 = 300;
const AVERAGED: u64 = 100;

/// Share of ln(classes), the loss of a network that knows nothing, under which the loss has left.
const LEFT: f64 = 0.995;

/// Classes under which a set is small: the paper's rate is for 1,000.
const FEW_CLASSES: usize = 100;

/// What to do about it.
const SMALL_SETS: &str = "for a set of a few classes train with `--lr 0.002 --batch-size 64`";

/// A note at the start when the recipe does not suit the number of classes.
pub(super) fn advice(state: &RunState) -> Option<String> {
    let paper = crate::config::Recipe::default().lr;
    let classes = state.classes.len();
    (classes < FEW_CLASSES && state.recipe.lr >= paper).then(|| {
        format!(
            "note: lr {paper} is for 1,000 classes; with {classes} the loss may stay at \
             ln({classes}) = {:.3}; {SMALL_SETS}",
            (classes as f64).ln()
        )
    })
}

/// Takes note of a step's loss, and gives a warning once when it has not fallen.
pub(super) fn observe(state: &mut RunState, samples: usize, loss: f64) -> Option<String> {
    let step = state.progress.step;
    if step <= STEPS - AVERAGED || step > STEPS {
        return None;
    }
    state.progress.early.add(samples, loss, 0, 0);
    let classes = state.classes.len();
    let start = (classes as f64).ln();
    let mean = state.progress.early.scores()?.loss;
    (step == STEPS && mean > start * LEFT).then(|| {
        let advice = if classes < FEW_CLASSES {
            SMALL_SETS
        } else {
            "look whether it falls in the next few hundred steps; if not, try another `--lr`"
        };
        format!(
            "warning: after {STEPS} steps the loss is {mean:.4} and has not left \
             ln({classes}) = {start:.4}: the network has learned nothing yet; {advice}"
        )
    })
}
