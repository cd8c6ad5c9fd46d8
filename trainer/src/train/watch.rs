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
pub(super) fn observe(
    state: &mut RunState,
    step: u64,
    samples: usize,
    loss: f64,
) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::{advice, observe};
    use crate::checkpoint::{PixelStatistics, Progress, RunState};
    use crate::config::Recipe;
    use crate::model_config::ModelConfig;
    use crate::schedule::ScheduleState;
    use shardmill_formats::Class;

    fn state(classes: usize) -> RunState {
        let class = |i: usize| Class {
            synset: format!("n{i:04}"),
            name: String::new(),
        };
        RunState {
            seed: 1,
            recipe: Recipe::default(),
            model: ModelConfig {
                classes,
                ..ModelConfig::alexnet()
            },
            classes: (0..classes).map(class).collect(),
            pixels: PixelStatistics {
                mean: [0.0; 3],
                std: [1.0; 3],
            },
            schedule: ScheduleState::default(),
            progress: Progress::default(),
        }
    }

    /// The warnings of 400 steps whose loss is `loss(step)`.
    fn warnings(classes: usize, loss: impl Fn(u64) -> f64) -> Vec<(u64, String)> {
        let mut state = state(classes);
        (1..=400)
            .filter_map(|step| observe(&mut state, step, 64, loss(step)).map(|text| (step, text)))
            .collect()
    }

    #[test]
    fn a_loss_that_stays_at_its_start_is_told_once() {
        let found = warnings(10, |step| 10f64.ln() + 0.01 * (step as f64).sin());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, 300);
        assert!(found[0].1.contains("--lr 0.002 --batch-size 64"));
        assert!(!warnings(1000, |_| 1000f64.ln())[0].1.contains("0.002"));
    }

    #[test]
    fn a_loss_that_falls_late_is_not_told() {
        assert_eq!(warnings(10, |step| if step < 150 { 2.31 } else { 2.1 }), []);
    }

    #[test]
    fn advice_is_for_few_classes_at_the_papers_rate() {
        assert!(advice(&state(10)).unwrap().contains("--lr 0.002"));
        assert_eq!(advice(&state(1000)), None);
        let mut slow = state(10);
        slow.recipe.lr = 0.002;
        assert_eq!(advice(&slow), None);
    }
}
