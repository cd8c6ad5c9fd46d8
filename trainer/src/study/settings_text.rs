//! The settings of a study in sentences.

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
            "Recipe `{}`, {} epochs{}, batches of {}, {} trials of each arm with the seeds 1 to {}.",
            plan.base,
            plan.recipe.epochs,
            if plan.search.is_some() {
                " at most"
            } else {
                ""
            },
            plan.recipe.batch_size,
            plan.seeds,
            plan.seeds
        ),
    ];
    let paper = Setup::default();
    let mut setup = plan.setup();
    (setup.recipe.epochs, setup.model.classes) = (paper.recipe.epochs, paper.model.classes);
    let changed = differences(&paper, &setup).into_iter();
    let changed: Vec<String> = changed
        .map(|change| format!("`{}` {}", change.key, change.second))
        .collect();
    if !changed.is_empty() {
        text.push(format!(
            "What differs from the paper's recipe and network in every arm: {}.",
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
        .map(|trial| format!("{} with seed {}", trial.arm, trial.seed));
    let missing: Vec<String> = missing.collect();
    (!missing.is_empty()).then(|| format!("Missing so far: {}.", missing.join(", ")))
}
