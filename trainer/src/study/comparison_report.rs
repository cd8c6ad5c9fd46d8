//! The report of a comparison: errors of every arm, beside the paper's.

use crate::study::catalogue::Study;
use crate::study::comparison::{Contender, Measure, contenders};
use crate::study::crossing::ErrorPoint;
use crate::study::document::{Document, Figure, Part, Section, Table};
use crate::study::figure::{Across, Curve, Curves, curves};
use crate::study::findings::Findings;
use crate::study::result::{ArmResult, CurvePoint};
use crate::study::settings_text::{counted, further, missing, settings};
use crate::study::statistics::{Sample, counting_error};

/// The report of `findings`.
pub(crate) fn comparison_report(study: &Study, findings: &Findings) -> Document {
    let contenders = contenders(study, &findings.trials);
    let main = main_measure(&contenders);
    let mut lead = vec![study.paper.to_owned()];
    lead.extend(missing(findings));
    lead.extend(further(findings));
    let mut parts = vec![Part::Table(errors(&contenders))];
    if contenders.len() > 1 {
        parts.push(Part::Table(differences(&contenders, main)));
    }
    parts.push(Part::Text(limits(&contenders, findings, main)));
    let validation: fn(&CurvePoint) -> Option<f64> = |point| point.validation_error;
    let batches: fn(&CurvePoint) -> Option<f64> = |point| point.batch_error;
    let guess = random_guess(findings.plan.dataset.classes);
    let sections = vec![
        Section {
            id: "result",
            title: "Errors".to_owned(),
            parts,
        },
        Section {
            id: "curves",
            title: "During training".to_owned(),
            parts: [
                figure(study, "validation", &contenders, validation, guess),
                figure(study, "training", &contenders, batches, guess),
            ]
            .into_iter()
            .flatten()
            .map(Part::Figure)
            .collect(),
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

/// The error by which arms are compared: that of ten views, where it was measured.
fn main_measure(contenders: &[Contender<'_>]) -> Measure {
    let measures = [Measure::TenTop1, Measure::CenterTop1];
    let has = |measure: &Measure| contenders.iter().any(|arm| arm.sample(*measure).is_some());
    measures.into_iter().find(has).unwrap_or(Measure::Training)
}

/// `31.20 ± 0.45`.
fn spread(sample: Option<Sample>) -> String {
    let Some(sample) = sample else {
        return "-".to_owned();
    };
    let deviation = sample
        .deviation
        .map(|deviation| format!(" ± {deviation:.2}"));
    format!("{:.2}{}", sample.mean, deviation.unwrap_or_default())
}

fn errors(contenders: &[Contender<'_>]) -> Table {
    let row = |arm: &Contender<'_>| {
        let trials = match arm.not_finite() {
            0 => arm.trials.len().to_string(),
            lost => format!("{}, {lost} not finite", arm.trials.len()),
        };
        let errors = Measure::ALL.map(|measure| spread(arm.sample(measure)));
        [arm.arm.title.to_owned(), trials]
            .into_iter()
            .chain(errors)
            .collect()
    };
    let head = ["arm", "trials"]
        .into_iter()
        .chain(Measure::ALL.map(Measure::title));
    Table {
        caption:
            "Errors in percent at the end, on the validation split and on training images without \
                  augmentation: mean and sample standard deviation over the trials."
                .to_owned(),
        head: head.map(str::to_owned).collect(),
        rows: contenders.iter().map(row).collect(),
    }
}

fn differences(contenders: &[Contender<'_>], main: Measure) -> Table {
    let base = &contenders[0];
    // The paper's differences are of validation errors, and stand beside no others.
    let validated = main != Measure::Training;
    let row = |arm: &Contender<'_>| {
        let difference = |measure| signed(arm.difference(base, measure));
        let interval = arm.difference(base, main).and_then(|sample| {
            let half = sample.half_interval()?;
            Some(format!(
                "{:+.2} to {:+.2}",
                sample.mean - half,
                sample.mean + half
            ))
        });
        let mut cells = vec![
            arm.arm.title.to_owned(),
            difference(main),
            interval.unwrap_or_else(|| "-".to_owned()),
        ];
        if validated {
            cells.push(difference(Measure::Training));
            cells.push(arm.arm.paper.unwrap_or("not in the paper").to_owned());
        }
        cells
    };
    let mut head = vec!["arm", main.title(), "95% interval"];
    if validated {
        head.extend([Measure::Training.title(), "the paper's top-1 / top-5"]);
    }
    Table {
        caption: format!(
            "Differences from `{}` in points, seed by seed: mean, sample standard deviation, and a 95% \
             confidence interval of the mean by Student's t. {}",
            base.arm.title,
            match validated {
                true => "The paper's are of top-1 and top-5 error on ImageNet.",
                false =>
                    "These are of errors on training images, and the paper's, of validation errors, do not compare.",
            }
        ),
        head: head.into_iter().map(str::to_owned).collect(),
        rows: contenders[1..].iter().map(row).collect(),
    }
}

fn signed(sample: Option<Sample>) -> String {
    let text = spread(sample);
    match sample {
        Some(sample) if sample.mean >= 0.0 => format!("+{text}"),
        _ => text,
    }
}

/// What the scale of the study can and cannot show.
fn limits(contenders: &[Contender<'_>], findings: &Findings, main: Measure) -> Vec<String> {
    let plan = &findings.plan;
    let mut text = Vec::new();
    let error = contenders
        .first()
        .and_then(|arm| arm.sample(main))
        .map(|sample| sample.mean);
    if let (Some(split), Some(error)) = (&plan.dataset.validation, error) {
        let one = counting_error(error, split.images);
        text.push(format!(
            "An error of {error:.1}% on {} images has a standard error of {one:.2} points, the root of p (1 - p) / n.",
            split.images,
        ));
        text.push(format!(
            "A difference of less than {:.1} points between two networks, twice the root of 2 times that, may be \
             noise of the images that happen to be in the split, as if each network had images of its own; trials of \
             more seeds do not lower it.",
            2.0 * std::f64::consts::SQRT_2 * one
        ));
    }
    let mut resolved = Vec::new();
    if let Some((base, others)) = contenders.split_first() {
        for arm in others {
            let sample = arm.difference(base, main);
            let Some((sample, half)) =
                sample.and_then(|sample| Some((sample, sample.half_interval()?)))
            else {
                continue;
            };
            resolved.push(match sample.mean.abs() > half {
                true => format!(
                    "that of `{}` is larger than the spread of the seeds",
                    arm.arm.title
                ),
                false => format!(
                    "that of `{}` is within the spread of the seeds",
                    arm.arm.title
                ),
            });
        }
    }
    if !resolved.is_empty() {
        text.push(format!("Of the differences, {}.", resolved.join(", ")));
    }
    text.push(format!(
        "The networks are of width {}, were trained for {} of {} images of {} classes, and all arms have \
         the same budget; the paper's are of width 1, 90 epochs, and 1.2 million images of 1,000 classes.",
        plan.model.width, counted(plan.recipe.epochs, "epoch"), plan.dataset.train.images, plan.dataset.classes
    ));
    text.push(
        "Such a scale can show large effects and overfitting, in the gap between training and validation error; \
         it cannot confirm or refute differences of the size of the paper's, and an arm that learns more slowly \
         is at a disadvantage in a short training."
            .to_owned(),
    );
    text
}

/// Error in percent of a class that is drawn at random from all.
fn random_guess(classes: usize) -> f64 {
    100.0 * (1.0 - 1.0 / classes.max(1) as f64)
}

fn figure(
    study: &Study,
    of: &str,
    contenders: &[Contender<'_>],
    value: fn(&CurvePoint) -> Option<f64>,
    guess: f64,
) -> Option<Figure> {
    let curve = |trial: &&ArmResult| Curve {
        seed: trial.settings.seed,
        points: trial
            .curve
            .iter()
            .filter_map(|point| {
                value(point).map(|error| ErrorPoint {
                    epochs: point.epochs,
                    error,
                })
            })
            .collect(),
    };
    let arms: Vec<Curves> = contenders
        .iter()
        .map(|arm| Curves {
            title: arm.arm.title.to_owned(),
            dashed: false,
            trials: arm.trials.iter().map(curve).collect(),
        })
        .collect();
    let what = match of {
        "validation" => "Validation error from the centre view",
        _ => "Training error of the batches, augmented and before their steps,",
    };
    let caption = format!(
        "{what} over epochs: dots are trials, lines their mean; a class drawn at random is wrong in \
         {guess:.1}% of the images."
    );
    let across = Across {
        name: "random guess".to_owned(),
        level: guess,
    };
    Some(Figure {
        file: format!("{}-{of}.svg", study.name),
        svg: curves(of, &caption, &arms, Some(&across))?,
        caption: vec![caption],
    })
}
