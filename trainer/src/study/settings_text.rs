//! The settings of a study in sentences.

use crate::net::config::Variant;
use crate::recipe::difference::differences;
use crate::recipe::setup::Setup;
use crate::study::findings::Findings;

/// What was trained on what, and how.
pub(crate) fn settings(findings: &Findings) -> Vec<String> {
    let plan = &findings.plan;
    let dataset = &plan.dataset;
    let [rows, columns] = dataset.record;
    let validation = match &dataset.validation {
        Some(split) => format!("{} of split `{}` for validation", split.images, split.split),
        None => "no split for validation".to_owned(),
    };
    let mut text = vec![
        format!(
            "Images: {} of {} classes in records of {columns}x{rows} for training, {validation}.",
            dataset.train.images, dataset.classes
        ),
        format!(
            "Recipe `{}`, {}{}, batches of {}, {}.",
            plan.base,
            counted(plan.recipe.epochs, "epoch"),
            if plan.search.is_some() {
                " at most"
            } else {
                ""
            },
            plan.recipe.batch_size,
            trials(plan.seeds, " arm")
        ),
    ];
    // The network of Fig. 1 has a recipe of its own, which is compared with.
    let small = plan.model.variant == Variant::Fig1;
    let own = small.then(|| Setup::named("fig1")).flatten();
    let reference = match own {
        Some(_) => "recipe `fig1`",
        None => "the paper's recipe and network",
    };
    let paper = own.unwrap_or_default();
    let mut setup = plan.setup();
    (setup.recipe.epochs, setup.model.classes) = (paper.recipe.epochs, paper.model.classes);
    if plan.search.is_some() {
        // Every arm has its own.
        setup.recipe.lr = paper.recipe.lr;
        let rates = findings
            .searches
            .iter()
            .map(|searched| match searched.rate {
                Some(rate) => format!("{rate} for {}", searched.arm),
                None => format!("none yet for {}", searched.arm),
            });
        let rates: Vec<String> = rates.collect();
        text.push(format!(
            "Rates that the search chose: {}.",
            rates.join(", ")
        ));
    }
    let changed = differences(&paper, &setup).into_iter();
    let changed: Vec<String> = changed
        .map(|change| format!("`{}` {}", change.key, change.second))
        .collect();
    if !changed.is_empty() {
        text.push(format!(
            "What differs from {reference} in every arm: {}.",
            changed.join(", ")
        ));
    }
    let mut programs: Vec<&str> = findings
        .trials
        .iter()
        .map(|trial| &*trial.program)
        .collect();
    programs.sort_unstable();
    programs.dedup();
    if !programs.is_empty() {
        text.push(format!("Program: shardmill {}.", programs.join(", ")));
    }
    text
}

/// A number of something, in words: `1 epoch`, `2 epochs`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// The trials of each arm with their seeds; `of` follows `each`.
pub(crate) fn trials(seeds: u64, of: &str) -> String {
    match seeds {
        1 => format!("1 trial of each{of} with seed 1"),
        _ => format!("{seeds} trials of each{of} with the seeds 1 to {seeds}"),
    }
}

/// Which results are there and are left out, in a sentence.
pub(crate) fn further(findings: &Findings) -> Option<String> {
    let further = &findings.further;
    let seeds: Vec<String> = further.iter().map(u64::to_string).collect();
    let last = further.last()?;
    Some(format!(
        "Results of seeds {} are there too and are not in this report; `--seeds {last}` takes them in.",
        seeds.join(", ")
    ))
}

/// Which trials are missing, in a sentence.
pub(crate) fn missing(findings: &Findings) -> Option<String> {
    let missing = findings
        .missing
        .iter()
        .map(|trial| format!("{}, seed {}", trial.arm, trial.seed));
    let missing: Vec<String> = missing.collect();
    (!missing.is_empty()).then(|| format!("Missing so far: {}.", missing.join("; ")))
}
