//! The report of a race: epochs to a training error, and their ratio.

use crate::report::text::duration;
use crate::study::arm::Arm;
use crate::study::catalogue::Study;
use crate::study::crossing::crossing;
use crate::study::document::{Document, Figure, Part, Section, Table};
use crate::study::figure::{Across, Curve, Curves, curves};
use crate::study::findings::{Findings, Searched};
use crate::study::result::{ArmResult, Ending};
use crate::study::settings_text::{counted, further, missing, settings};
use crate::study::statistics::{Ratio, Sample, counting_error};

/// An arm of a race.
#[derive(Clone, Debug)]
pub(crate) struct Runner<'a> {
    /// The arm.
    pub(crate) arm: &'a Arm,
    /// Its trials, by seed.
    pub(crate) trials: Vec<&'a ArmResult>,
    /// Epochs to the error, of the trials that reached it.
    pub(crate) reached: Vec<f64>,
}

/// The arms of a race with their trials.
pub(crate) fn runners<'a>(study: &'a Study, findings: &'a Findings) -> Vec<Runner<'a>> {
    let level = findings.plan.training_error.enough.unwrap_or_default();
    let runner = |arm: &'a Arm| {
        let trials = findings
            .trials
            .iter()
            .filter(|trial| trial.settings.arm == arm.name);
        let trials: Vec<&ArmResult> = trials.collect();
        let reached = trials
            .iter()
            .filter_map(|trial| crossing(&trial.training_curve(), level));
        Runner {
            arm,
            reached: reached.collect(),
            trials,
        }
    };
    study.arms.iter().map(runner).collect()
}

/// The report of `findings`.
pub(crate) fn race_report(study: &Study, findings: &Findings) -> Document {
    let level = findings.plan.training_error.enough.unwrap_or_default();
    let runners = runners(study, findings);
    let mut lead = vec![study.paper.to_owned()];
    lead.extend(conclusion(&runners, level));
    lead.extend(caveats(&runners, findings, level));
    lead.extend(missing(findings));
    lead.extend(further(findings));
    let sections = vec![
        Section {
            id: "result",
            title: format!("Epochs to {level}% training error"),
            parts: figure(study, &runners, level)
                .map(Part::Figure)
                .into_iter()
                .chain([
                    Part::Table(table(&runners, findings, level)),
                    Part::Text(reading(findings, level)),
                ])
                .collect(),
        },
        Section {
            id: "search",
            title: "The search for the rates".to_owned(),
            parts: search(findings, level),
        },
        Section {
            id: "settings",
            title: "Settings".to_owned(),
            parts: vec![Part::Text(settings(findings))],
        },
    ];
    Document {
        title: format!("{}: {}", study.name, study.about),
        lead,
        sections,
    }
}

/// What the race says, in sentences: the last arm's epochs over the first's.
fn conclusion(runners: &[Runner<'_>], level: f64) -> Vec<String> {
    let [first, .., last] = runners else {
        return Vec::new();
    };
    let late = |runner: &Runner<'_>| runner.trials.len() - runner.reached.len();
    let Some(ratio) = Ratio::of(&last.reached, &first.reached) else {
        return vec![format!(
            "There is no ratio: {} with {} and {} with {} reached {level}%.",
            counted(first.reached.len() as u64, "trial"),
            first.arm.title,
            last.reached.len(),
            last.arm.title
        )];
    };
    let error = ratio
        .standard_error
        .map_or_else(String::new, |error| format!(" ± {error:.2}"));
    let mut text = Vec::new();
    if ratio.mean < 1.0 {
        text.push(format!(
            "Here {} is ahead, unlike in the paper: the ratio below is less than 1.",
            last.arm.title
        ));
    }
    text.extend([
        format!(
            "Here {} reaches {level}% training error {:.2}{error} times as fast as {} (ratio of the mean \
             epochs, with its standard error).",
            first.arm.title, ratio.mean, last.arm.title
        ),
        format!(
            "Over all pairs of a trial of the one and a trial of the other the ratio is {:.2} to {:.2} ({} and \
             {}).",
            ratio.range[0],
            ratio.range[1],
            first.reached.len(),
            counted(last.reached.len() as u64, "trial")
        ),
    ]);
    for runner in [first, last].into_iter().filter(|runner| late(runner) > 0) {
        text.push(format!(
            "{} of the {} trials with {} did not reach it and are not in these figures, which are therefore \
             too low for {}.",
            late(runner),
            runner.trials.len(),
            runner.arm.title,
            runner.arm.title
        ));
    }
    text
}

/// Images and classes of CIFAR-10's training set, which the paper's figure is of.
const CIFAR10: (u64, usize) = (50_000, 10);

/// Why the figures cannot be laid beside the paper's, where they cannot.
fn caveats(runners: &[Runner<'_>], findings: &Findings, level: f64) -> Vec<String> {
    let dataset = &findings.plan.dataset;
    let mut text = Vec::new();
    if (dataset.train.images, dataset.classes) != CIFAR10 {
        text.push(format!(
            "The paper's figure is of the {} training images of CIFAR-10; here {} of {} are trained on, so that an \
             epoch has another number of steps and {level}% is another task: the figures cannot be laid beside the \
             paper's.",
            CIFAR10.0,
            counted(dataset.train.images, "image"),
            match dataset.classes {
                1 => "1 class".to_owned(),
                classes => format!("{classes} classes"),
            }
        ));
    }
    let none = runners
        .iter()
        .filter(|runner| !runner.trials.is_empty() && runner.reached.is_empty());
    let none: Vec<&str> = none.map(|runner| runner.arm.title).collect();
    if !none.is_empty() {
        text.push(format!(
            "No trial with {} reached {level}% in {}, so this study neither confirms nor refutes the paper's ratio.",
            none.join(" or "),
            counted(findings.plan.recipe.epochs, "epoch")
        ));
    }
    text
}

fn figure(study: &Study, runners: &[Runner<'_>], level: f64) -> Option<Figure> {
    let arms: Vec<Curves> = runners
        .iter()
        .enumerate()
        .map(|(number, runner)| Curves {
            title: runner.arm.title.to_owned(),
            // The paper's tanh is dashed.
            dashed: number > 0,
            trials: runner.trials.iter().map(|trial| curve(trial)).collect(),
        })
        .collect();
    let caption = format!(
        "Training error over epochs, as in the paper's Fig. 1: dots are the measurements of every trial, lines \
         their mean while every trial is still training, and the level is {level}%."
    );
    let across = Across {
        name: format!("{level}%"),
        level,
    };
    Some(Figure {
        file: format!("{}.svg", study.name),
        svg: curves("race", &caption, &arms, Some(&across))?,
        caption: vec![caption],
    })
}

fn curve(trial: &ArmResult) -> Curve {
    Curve {
        seed: trial.settings.seed,
        points: trial.training_curve(),
    }
}

fn table(runners: &[Runner<'_>], findings: &Findings, level: f64) -> Table {
    let row = |runner: &Runner<'_>| {
        let each = runner.trials.iter().map(|trial| epochs(trial, level));
        let sample = Sample::of(&runner.reached);
        let mean = sample.map_or_else(|| "-".to_owned(), |sample| format!("{:.2}", sample.mean));
        let spread = sample.and_then(|sample| sample.deviation);
        let seconds: f64 = runner.trials.iter().map(|trial| trial.seconds).sum();
        let rate = findings
            .searches
            .iter()
            .find(|searched| searched.arm == runner.arm.name);
        vec![
            runner.arm.title.to_owned(),
            rate.and_then(|searched| searched.rate)
                .map_or_else(|| "-".to_owned(), |rate| rate.to_string()),
            runner.trials.len().to_string(),
            each.collect::<Vec<_>>().join(", "),
            mean,
            spread.map_or_else(|| "-".to_owned(), |spread| format!("{spread:.2}")),
            duration(seconds),
        ]
    };
    Table {
        caption: format!(
            "Epochs to {level}% training error, by trial, with mean and sample standard deviation."
        ),
        head: [
            "arm",
            "lr",
            "trials",
            "epochs of each",
            "mean",
            "deviation",
            "time",
        ]
        .map(str::to_owned)
        .into(),
        rows: runners.iter().map(row).collect(),
    }
}

/// Epochs of a trial to the level; or how it ended.
fn epochs(trial: &ArmResult, level: f64) -> String {
    match (crossing(&trial.training_curve(), level), trial.ending) {
        (Some(epochs), _) => format!("{epochs:.2}"),
        (None, Ending::NotFinite) => format!("not finite after {:.1}", trial.epochs),
        (None, _) => format!("not in {:.0}", trial.epochs),
    }
}

/// How the figures were measured, and how exact they are.
fn reading(findings: &Findings, level: f64) -> Vec<String> {
    let plan = &findings.plan;
    let images = plan.training_error.images.min(plan.dataset.train.images);
    vec![
        format!(
            "The error is measured {} times an epoch on {images} of the {} training images, always the same, \
             without augmentation; its standard error at {level}% is {:.2} points.",
            plan.training_error.per_epoch,
            plan.dataset.train.images,
            counting_error(level, images)
        ),
        format!(
            "Between the last measurement above {level}% and the first below, the error is taken as a straight \
             line; a trial ends at the latter, or after {} epochs.",
            plan.recipe.epochs
        ),
    ]
}

fn search(findings: &Findings, level: f64) -> Vec<Part> {
    let Some(search) = &findings.plan.search else {
        return Vec::new();
    };
    let mut text = vec![
        format!(
            "The paper's rates were chosen to make training as fast as possible; here a search does so, the same \
             for every arm, with the seed {}, which no trial has.",
            search.seed
        ),
        format!(
            "Each of {} rates, a factor of {} apart, is tried for {} epochs.",
            search.rates.len(),
            search.factor,
            search.epochs
        ),
        format!(
            "While the best is at an end of the rates, one more is tried there, at most {} in all.",
            search.added
        ),
        format!(
            "The best {} go on to {} epochs, and the one with the lowest training error then is chosen, or the \
             first to reach {level}%; of equal ones, the lower rate.",
            search.kept, search.kept_epochs
        ),
    ];
    for searched in findings.searches.iter().filter(|searched| searched.at_edge) {
        text.push(format!(
            "The rate chosen for {} is at an end of those that were tried, so a further one may be faster.",
            searched.arm
        ));
    }
    let rows = findings.searches.iter().flat_map(|searched| {
        let row = |tried| search_row(searched, tried, search.epochs, level);
        searched.tried.iter().map(row).collect::<Vec<_>>()
    });
    let after = format!("error after {} epochs, %", search.epochs);
    let table = Table {
        caption: "Training error at every rate that was tried; `x` marks what was chosen."
            .to_owned(),
        head: ["arm", "lr", &after, "epochs", "error then, %", "chosen"]
            .map(str::to_owned)
            .into(),
        rows: rows.collect(),
    };
    vec![Part::Text(text), Part::Table(table)]
}

fn search_row(searched: &Searched, tried: &ArmResult, epochs: u64, level: f64) -> Vec<String> {
    let curve = tried.training_curve();
    let early = curve.iter().rfind(|point| point.epochs <= epochs as f64);
    let error = |error: Option<f64>| match (error, tried.ending) {
        (_, Ending::NotFinite) => "not finite".to_owned(),
        (Some(error), _) => format!("{error:.2}"),
        (None, _) => "-".to_owned(),
    };
    let rate = tried.settings.recipe.lr;
    let to = crossing(&curve, level).map_or_else(
        || format!("{:.1}", tried.epochs),
        |epochs| format!("{epochs:.2} to {level}%"),
    );
    vec![
        searched.arm.clone(),
        rate.to_string(),
        error(early.map(|point| point.error)),
        to,
        error(curve.last().map(|point| point.error)),
        if searched.rate == Some(rate) { "x" } else { "" }.to_owned(),
    ]
}
