use shardmill_formats::Class;

use crate::checkpoint::{PixelStatistics, Progress, RunState};
use crate::net::config::{Activation, ModelConfig};
use crate::net::scores::Scores;
use crate::net::{StepMetrics, StepOutput};
use crate::recipe::InputScale;
use crate::recipe::setup::Setup;
use crate::run::divergence::prior::called;
use crate::run::divergence::{Audience, Circumstances, Prior, advice, conclude, observe};

fn state(classes: usize) -> RunState {
    let class = |i: usize| Class {
        synset: format!("n{i:04}"),
        name: String::new(),
    };
    let model = ModelConfig {
        classes,
        ..ModelConfig::alexnet()
    };
    let pixels = PixelStatistics {
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    RunState::unborn(model, (0..classes).map(class).collect(), pixels)
}

fn balanced(classes: usize) -> Prior {
    let names: Vec<String> = (0..classes).map(|i| format!("n{i:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Prior::from_counts(&vec![26; classes], &names)
}

fn around(prior: &Prior, lr: f64) -> Circumstances<'_> {
    Circumstances {
        prior,
        guessing: Some(90.0),
        lr,
        audience: Audience::Training,
    }
}

fn metrics(loss: f64) -> StepMetrics {
    let output = StepOutput {
        loss,
        top1: 0,
        top5: 0,
    };
    StepMetrics {
        images: 64,
        output,
        norm: 1.0,
    }
}

/// The steps of warnings in a run of `steps` whose loss is `loss(step)`, at the recipe's rate, and after its
/// end; and the last text.
fn warnings(
    state: &mut RunState,
    prior: &Prior,
    steps: u64,
    loss: impl Fn(u64) -> f64,
) -> (Vec<u64>, String) {
    let around = around(prior, state.recipe.base_lr());
    let (mut found, mut last) = (Vec::new(), String::new());
    for step in 1..=steps {
        state.progress.step = step;
        if let Some(text) = observe(state, around, step, &metrics(loss(step))) {
            found.push(step);
            last = text;
        }
    }
    if let Some(text) = conclude(state, around) {
        found.push(steps);
        last = text;
    }
    (found, last)
}

#[test]
fn a_loss_that_stays_at_its_start_is_told_at_doubling_steps() {
    let noisy = |step: u64| 10f64.ln() + 0.01 * (step as f64).sin();
    let (steps, text) = warnings(&mut state(10), &balanced(10), 3000, noisy);
    assert_eq!(steps, [300, 600, 1200, 2400, 3000]);
    assert!(text.contains("--lr 0.002 --batch-size 64"), "{text}");
    assert!(text.contains("the rate in force is 0.01"), "{text}");
    let (_, text) = warnings(&mut state(1000), &balanced(1000), 400, |_| 1000f64.ln());
    assert!(!text.contains("0.002"), "{text}");
}

#[test]
fn a_loss_that_has_left_is_not_told() {
    let falls = |step| if step < 190 { 2.31 } else { 2.1 };
    let mut state = state(10);
    assert_eq!(warnings(&mut state, &balanced(10), 1000, falls).0, [0; 0]);
    assert!(state.progress.has_learned);
}

#[test]
fn short_runs_are_looked_at_when_they_end() {
    let (steps, text) = warnings(&mut state(10), &balanced(10), 80, |_| 10f64.ln());
    assert_eq!(steps, [80]);
    assert!(text.contains("80 steps are few"), "{text}");
}

#[test]
fn a_loss_that_goes_back_to_its_start_is_told() {
    let collapses = |step| if step < 1000 { 1.0 } else { 10f64.ln() };
    let (steps, text) = warnings(&mut state(10), &balanced(10), 1500, collapses);
    assert_eq!(steps, [1100, 1500]);
    assert!(text.contains("back at 2.3026"), "{text}");
}

#[test]
fn a_loss_above_its_start_names_the_rate() {
    let mut high = state(10);
    high.recipe.lr = 10.0;
    let (steps, text) = warnings(&mut high, &balanced(10), 300, |_| 40.0);
    assert_eq!(steps, [300]);
    assert!(text.contains("40.0000, above 2.3026"), "{text}");
    assert!(text.contains("the rate in force is 10"), "{text}");
    let mut high = state(1000);
    high.recipe.lr = 10.0;
    let (_, text) = warnings(&mut high, &balanced(1000), 300, |_| 40.0);
    assert!(text.contains("`--lr 0.01`"), "{text}");
}

#[test]
fn the_start_is_the_entropy_of_the_labels() {
    let prior = Prior::from_counts(&[20, 600, 20], &["ant", "bee", "cat"]);
    let entropy = -(0.9375 * 0.9375f64.ln() + 2.0 * 0.03125 * 0.03125f64.ln());
    assert!((prior.entropy - entropy).abs() < 1e-12);
    // All called the largest class; far below ln 3.
    let (steps, text) = warnings(&mut state(3), &prior, 300, |_| entropy);
    assert_eq!(steps, [300]);
    assert!(text.contains("94% of the images are bee"), "{text}");
    let text = prior.no_better(6.25, 6.25).unwrap();
    assert_eq!(text, "no better than calling every image bee (6.25%)");
    assert_eq!(prior.no_better(6.0, 6.25), None);
}

#[test]
fn nothing_is_advised_that_is_done_already() {
    let mut small = state(10);
    small.recipe = Setup::named("small").unwrap().recipe;
    let (_, text) = warnings(&mut small, &balanced(10), 300, |_| 10f64.ln());
    assert!(
        !text.contains("--lr") && !text.contains("--batch-size"),
        "{text}"
    );
    let mut large = state(10);
    large.recipe = Setup::named("small").unwrap().recipe;
    large.recipe.batch_size = 128;
    let (_, text) = warnings(&mut large, &balanced(10), 300, |_| 10f64.ln());
    assert!(
        text.contains("`--batch-size 64`") && !text.contains("--lr"),
        "{text}"
    );
}

#[test]
fn a_rate_that_the_schedule_lowered_is_named() {
    let (mut state, prior) = (state(10), balanced(10));
    state.progress.step = 100;
    for step in 1..=100 {
        observe(&mut state, around(&prior, 0.0001), step, &metrics(2.4));
    }
    let text = conclude(&state, around(&prior, 0.0001)).unwrap();
    assert!(text.contains("the rate in force is 0.0001"), "{text}");
    assert!(
        text.contains("the schedule has lowered it from 0.01"),
        "{text}"
    );
}

#[test]
fn one_class_is_told_at_the_start_and_not_again() {
    let prior = Prior::from_counts(&[40], &["cat"]);
    let text = advice(&state(1), &prior, Audience::Training).unwrap();
    assert!(text.contains("nothing to learn"), "{text}");
    assert_eq!(warnings(&mut state(1), &prior, 400, |_| 0.0).0, [0; 0]);
    assert_eq!(prior.no_better(0.0, 0.0), None);
}

#[test]
fn tanh_without_its_settings_is_told() {
    let mut tanh = state(1000);
    tanh.model.activation = Activation::Tanh;
    let text = advice(&tanh, &balanced(1000), Audience::Training).unwrap();
    assert!(text.contains("--set scale=standardized"), "{text}");
    tanh.recipe.scale = InputScale::Standardized;
    tanh.model.init.bias = 0.0;
    assert_eq!(advice(&tanh, &balanced(1000), Audience::Training), None);
}

#[test]
fn advice_is_for_few_classes_at_the_papers_rate() {
    let text = advice(&state(10), &balanced(10), Audience::Training).unwrap();
    assert!(
        text.contains("--lr 0.002") && text.contains("2.303"),
        "{text}"
    );
    assert_eq!(
        advice(&state(1000), &balanced(1000), Audience::Training),
        None
    );
    let mut slow = state(10);
    slow.recipe.lr = 0.002;
    assert_eq!(advice(&slow, &balanced(10), Audience::Training), None);
}

#[test]
fn accumulation_and_linear_rates_are_named_where_they_are_the_cause() {
    let mut state = state(10);
    state.recipe = Setup::named("small").unwrap().recipe;
    (state.recipe.batch_size, state.recipe.accumulate) = (32, 4);
    let (_, text) = warnings(&mut state, &balanced(10), 300, |_| 10f64.ln());
    assert!(text.contains("train without `--accumulate`"), "{text}");
    assert!(!text.contains("--batch-size"), "{text}");
    (state.recipe.batch_size, state.recipe.linear_lr) = (64, true);
    state.progress = Progress::default();
    let (_, text) = warnings(&mut state, &balanced(10), 300, |_| 10f64.ln());
    assert!(
        text.contains("train without `--linear-lr` and `--accumulate`"),
        "{text}"
    );
    let mut low = self::state(1000);
    low.recipe.lr = 1e-6;
    let (_, text) = warnings(&mut low, &balanced(1000), 300, |_| 1000f64.ln());
    assert!(text.contains("it is low: try `--lr 0.01`"), "{text}");
}

#[test]
fn the_number_in_a_warning_is_a_mean_of_so_many_steps() {
    let (_, text) = warnings(&mut state(10), &balanced(10), 130, |_| 2.9659);
    assert!(
        text.contains("after 130 steps the mean loss of the last 30 steps is 2.9659"),
        "{text}"
    );
}

#[test]
fn a_network_that_validation_shows_to_have_learned_is_not_said_to_have_learned_nothing() {
    let mut learned = state(10);
    let scores = |top1_error| Scores {
        samples: 1000,
        loss: 2.0,
        top1_error,
        top5_error: 20.0,
    };
    learned.progress.center = Some(scores(60.0));
    let (_, text) = warnings(&mut learned, &balanced(10), 80, |_| 10f64.ln());
    assert!(
        text.starts_with("note: ") && text.contains("includes dropout and augmentation"),
        "{text}"
    );
    assert!(
        text.contains("error was 60.00%") && text.contains("gives 90.00%"),
        "{text}"
    );
    assert!(
        !text.contains("not left") && !text.contains("--lr"),
        "{text}"
    );
    // Within three standard errors of guessing, which are 2.8 points.
    let mut guessing = state(10);
    guessing.progress.center = Some(scores(88.0));
    let (_, text) = warnings(&mut guessing, &balanced(10), 80, |_| 10f64.ln());
    assert!(text.starts_with("warning: "), "{text}");
}

#[test]
fn a_study_is_advised_in_its_own_flags_and_a_search_not_at_all() {
    let (mut state, prior) = (state(10), balanced(10));
    state.progress.step = 100;
    let mut around = around(&prior, 0.01);
    for step in 1..=100 {
        observe(&mut state, around, step, &metrics(2.4));
    }
    around.audience = Audience::Study;
    let text = conclude(&state, around).unwrap();
    assert!(
        text.contains("`--set lr=0.002 --set batch_size=64`"),
        "{text}"
    );
    around.audience = Audience::Search;
    let text = conclude(&state, around).unwrap();
    assert!(text.ends_with("the rate in force is 0.01"), "{text}");
    assert_eq!(advice(&state, &prior, Audience::Search), None);
}

#[test]
fn a_class_is_called_by_its_first_name() {
    let class = |name: &str| Class {
        synset: "n01440764".to_owned(),
        name: name.to_owned(),
    };
    assert_eq!(called(&class("tench, Tinca tinca")), "tench");
    assert_eq!(called(&class("")), "n01440764");
}
