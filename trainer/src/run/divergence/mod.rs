//! The divergence watch: warns of a loss that does not leave its starting point, rises above it, or returns
//! to it.
//!
//! A network that has learned only how frequent each class is has, at best, the entropy of the labels as
//! its loss. With balanced classes that is ln(classes); with 600, 20 and 20 images it is far less, and the
//! error of such a network, 6%, looks like success.

mod prior;

pub(crate) use prior::Prior;

use crate::checkpoint::RunState;
use crate::net::StepMetrics;
use crate::net::config::{Activation, Variant};
use crate::recipe::augmentation::Cropping;
use crate::recipe::{InputScale, Recipe, rate};

/// Steps whose mean loss is examined.
const WINDOW: u64 = 100;

/// Steps for which the loss may stay at its start in a healthy run.
const PATIENCE: u64 = 300;

/// The fewest steps at the end of a run that are examined.
const FEWEST: u64 = 20;

/// Multiple of the labels' entropy above which the loss is no longer near it.
const ABOVE: f64 = 1.2;

/// Classes under which a set is small: the paper's rate is for 1,000.
pub(crate) const FEW_CLASSES: usize = 100;

/// Share of the images in one class above which the classes' sizes are mentioned.
const DOMINANT: f64 = 0.5;

/// Part of the rate that a run began with under which the rate itself is the likely cause.
const SLOWED: f64 = 0.2;

/// The result of examining the last steps.
#[derive(Clone, Copy, Debug)]
struct Finding {
    step: u64,
    /// The rate of the last steps.
    lr: f64,
    /// The steps that the mean is over.
    steps: u64,
    mean: f64,
    learned_before: bool,
}

/// Whom the advice is for: a study has other flags than a training, and what a search tries is no mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Whoever called `train`.
    Training,
    /// Whoever called `train study`, which sets every value with `--set`.
    Study,
    /// Nobody: the trial of a rate.
    Search,
}

impl Audience {
    /// Advice in the flags that are there; `None` where nobody needs any.
    fn address(self, text: String) -> Option<String> {
        match self {
            Self::Training => Some(text),
            Self::Study => Some(
                [
                    ("--lr ", "--set lr="),
                    ("--batch-size ", "--set batch_size="),
                    ("--activation ", "--set model.activation="),
                    ("`--linear-lr`", "`--set linear_lr=true`"),
                    ("`--accumulate`", "`--set accumulate`"),
                    ("`--schedule`", "`--set schedule`"),
                ]
                .iter()
                .fold(text, |text, (flag, set)| text.replace(flag, set)),
            ),
            Self::Search => None,
        }
    }
}

/// What a warning depends on besides the run's state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    /// The labels of the training split.
    pub(crate) prior: &'a Prior,
    /// Top-1 error in percent of calling every validation image the most frequent class.
    pub(crate) guessing: Option<f64>,
    /// The rate of the last steps.
    pub(crate) lr: f64,
    /// Whom the advice is for.
    pub(crate) audience: Audience,
}

/// A note at the start when the recipe does not suit the classes.
pub(crate) fn advice(state: &RunState, prior: &Prior, audience: Audience) -> Option<String> {
    let text = note(state, prior)?;
    match prior.is_trivial() {
        true => Some(text),
        false => audience.address(text),
    }
}

fn note(state: &RunState, prior: &Prior) -> Option<String> {
    if prior.is_trivial() {
        return Some(format!(
            "warning: every training image is of class {}: any answer is right, and there is nothing \
             to learn",
            prior.frequent
        ));
    }
    let paper = Recipe::default().lr;
    let classes = state.classes.len();
    let lr = state.recipe.base_lr();
    if let Some(flat) = flat_activation(state) {
        return Some(format!("note: {flat}"));
    }
    (classes < FEW_CLASSES && lr >= paper).then(|| {
        let shown = rate(lr);
        let above = if lr > paper {
            format!("above the paper's {paper}, which is ")
        } else {
            String::new()
        };
        format!(
            "note: lr {shown} is {above}for 1,000 classes; with {classes} the loss may stay at {:.3}; {}",
            prior.entropy,
            small_set(state, lr).expect("the rate is above that of small sets")
        )
    })
}

/// Records the loss of a step, and returns a warning where the loss has not left its
/// starting point. Warnings come at steps that are each at least twice the one before.
pub(crate) fn observe(
    state: &mut RunState,
    around: Circumstances<'_>,
    step: u64,
    metrics: &StepMetrics,
) -> Option<String> {
    let prior = around.prior;
    let progress = &mut state.progress;
    if (step - 1).is_multiple_of(WINDOW) {
        progress.early = Default::default();
    }
    progress
        .early
        .add(metrics.images, metrics.output.loss, 0, 0);
    if !step.is_multiple_of(WINDOW) {
        return None;
    }
    let mean = progress.early.scores()?.loss;
    let learned_before = progress.has_learned;
    progress.has_learned |= prior.is_left_by(mean);
    let due = step >= PATIENCE && (progress.warned == 0 || step >= 2 * progress.warned);
    if prior.is_trivial() || prior.is_left_by(mean) || !due {
        return None;
    }
    progress.warned = step;
    let finding = Finding {
        step,
        lr: around.lr,
        steps: WINDOW,
        mean,
        learned_before,
    };
    Some(warning(state, around, finding))
}

/// A warning at the end of a run whose last steps are no better than its first ones, unless it was just
/// given.
pub(crate) fn conclude(state: &RunState, around: Circumstances<'_>) -> Option<String> {
    let prior = around.prior;
    let progress = &state.progress;
    let step = progress.step;
    let in_window = match step % WINDOW {
        0 => WINDOW.min(step),
        steps => steps,
    };
    let mean = progress.early.scores()?.loss;
    let warned_lately = progress.warned > 0 && step - progress.warned < PATIENCE;
    let due = in_window >= FEWEST && !warned_lately && !prior.is_trivial();
    let finding = Finding {
        step,
        lr: around.lr,
        steps: in_window,
        mean,
        learned_before: progress.has_learned,
    };
    (due && !prior.is_left_by(mean)).then(|| warning(state, around, finding))
}

fn warning(state: &RunState, around: Circumstances<'_>, finding: Finding) -> String {
    let (prior, lr) = (around.prior, finding.lr);
    let (step, mean, entropy) = (finding.step, finding.mean, prior.entropy);
    let subject = format!("the mean loss of the last {} steps is", finding.steps);
    let better = better_than_guessing(state, around.guessing);
    let what = if mean > entropy * ABOVE {
        format!("{subject} {mean:.4}, above {entropy:.4}")
    } else if finding.learned_before {
        format!("{subject} {mean:.4}, back at {entropy:.4}")
    } else if better.is_some() {
        format!("{subject} {mean:.4}, about {entropy:.4}")
    } else {
        format!("{subject} {mean:.4} and has not left {entropy:.4}")
    };
    let start = if better.is_some() { "note" } else { "warning" };
    let mut text = format!(
        "{start}: after {step} steps {what}, the loss of a network that knows only how frequent each \
         class is"
    );
    if let Some(better) = better {
        return text + &better;
    }
    if prior.share > DOMINANT {
        text += &format!(
            " ({:.0}% of the images are {})",
            100.0 * prior.share,
            prior.frequent
        );
    }
    text += &format!("; the rate in force is {}", rate(lr));
    let advice = remedies(state, prior, lr, step).join(", or ");
    if let Some(advice) = around.audience.address(advice) {
        text += &format!(": {advice}");
    }
    text
}

/// What is said where the last evaluation was clearly better than guessing, by three standard errors: then the
/// network has learned, whatever the loss of its batches is.
fn better_than_guessing(state: &RunState, guessing: Option<f64>) -> Option<String> {
    let (center, guessing) = (state.progress.center?, guessing?);
    let share = guessing / 100.0;
    let deviation = (share * (1.0 - share) / center.samples.max(1) as f64).sqrt();
    if center.top1_error >= guessing - 300.0 * deviation {
        return None;
    }
    let recipe = &state.recipe;
    let augmented = recipe.cropping != Cropping::Fixed || recipe.flip || recipe.color_std > 0.0;
    let parts = [
        (state.model.dropout > 0.0, "dropout"),
        (augmented, "augmentation"),
    ];
    let parts: Vec<&str> = parts
        .iter()
        .filter(|(there, _)| *there)
        .map(|(_, name)| *name)
        .collect();
    let parts = match parts.as_slice() {
        [] => "is of the batches before their steps".to_owned(),
        parts => format!("includes {}", parts.join(" and ")),
    };
    Some(format!(
        "; but the training loss {parts}, and the network has learned: its last validation error was {:.2}%, where \
         naming the most frequent class gives {guessing:.2}%",
        center.top1_error
    ))
}

/// What may help and is not done already.
fn remedies(state: &RunState, prior: &Prior, lr: f64, step: u64) -> Vec<String> {
    let recipe = &state.recipe;
    let base = recipe.base_lr();
    let few_classes = state.classes.len() < FEW_CLASSES;
    let usual = if few_classes {
        small()
    } else {
        Recipe::default()
    };
    let mut found: Vec<String> = flat_activation(state).into_iter().collect();
    if lr < base * SLOWED {
        found.push(format!(
            "the schedule has lowered it from {}: choose a later fall with `--schedule`",
            rate(base)
        ));
    } else if base < usual.lr * SLOWED {
        found.push(format!("it is low: try `--lr {}`", usual.lr));
    } else if let Some(advice) = few_classes.then(|| small_set(state, lr)).flatten() {
        found.push(advice);
    } else if !few_classes && base > usual.lr {
        found.push(match recipe.lr > usual.lr {
            true => format!("try the paper's `--lr {}`", usual.lr),
            false => "leave out `--linear-lr`".to_owned(),
        });
    }
    if step < PATIENCE {
        found.push(format!("train longer: {step} steps are few"));
    }
    if prior.share > DOMINANT {
        found.push("make the classes of more equal size (`prep subset --per-class N`)".to_owned());
    }
    if found.is_empty() {
        found.push(if step < 10 * PATIENCE {
            "wait: with few images in a class the loss may leave after a few thousand steps"
                .to_owned()
        } else {
            format!(
                "try another rate, such as `--lr {}`, or other images",
                rate(base / 2.0)
            )
        });
    }
    found
}

/// The recipe for sets of a few classes.
fn small() -> Recipe {
    let setup = crate::recipe::setup::Setup::named("small");
    setup.expect("it is a recipe of ours").recipe
}

/// The advice for a set of a few classes, without what is done already.
fn small_set(state: &RunState, lr: f64) -> Option<String> {
    let (recipe, small) = (&state.recipe, small());
    let mut flags = Vec::new();
    let mut without = Vec::new();
    if lr > small.lr {
        match recipe.lr > small.lr {
            true => flags.push(format!("--lr {}", small.lr)),
            false => without.push("--linear-lr"),
        }
    }
    if recipe.batch_size > small.batch_size {
        flags.push(format!("--batch-size {}", small.batch_size));
    }
    if recipe.accumulate > 1 && recipe.step_images() > small.batch_size {
        without.push("--accumulate");
    }
    let mut parts = Vec::new();
    if !flags.is_empty() {
        parts.push(format!("with `{}`", flags.join(" ")));
    }
    if !without.is_empty() {
        parts.push(format!("without `{}`", without.join("` and `")));
    }
    (!parts.is_empty()).then(|| format!("for a set of a few classes train {}", parts.join(" and ")))
}

/// What an activation lacks whose gradient is flat with the network's other settings.
fn flat_activation(state: &RunState) -> Option<String> {
    let (recipe, model) = (&state.recipe, &state.model);
    match model.activation {
        // Its initial values suit both.
        Activation::Tanh if model.variant == Variant::Fig1 => None,
        Activation::Tanh if recipe.scale == InputScale::MeanOnly || model.init.bias != 0.0 => Some(
            "tanh is flat at pixels of 0 to 255 and biases of 1: train with `--set scale=standardized \
             --set model.init.bias=0 --set model.init.std=0.02`"
                .to_owned(),
        ),
        Activation::Sigmoid => Some(
            "layer upon layer of sigmoid passes on hardly any gradient: train with `--activation relu`"
                .to_owned(),
        ),
        Activation::Relu | Activation::Tanh => None,
    }
}

#[cfg(test)]
mod tests;
