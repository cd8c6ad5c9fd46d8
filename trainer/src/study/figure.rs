//! The figures of studies.

use maud::Render;

use crate::report::chart::{Axis, Chart, Colour, Point, Series, Size, Stroke, Svg, lines};
use crate::report::page::colours;
use crate::study::crossing::ErrorPoint;

/// A few trials of an arm.
#[derive(Clone, Debug)]
pub(crate) struct Curves {
    /// The arm in words.
    pub(crate) title: String,
    /// Whether its lines are dashed, as tanh's in the paper's figure.
    pub(crate) dashed: bool,
    /// The curve of each trial.
    pub(crate) trials: Vec<Curve>,
}

/// A line across.
#[derive(Clone, Debug)]
pub(crate) struct Across {
    /// Its name in the legend.
    pub(crate) name: String,
    /// The error in percent.
    pub(crate) level: f64,
}

/// One trial.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// Its seed.
    pub(crate) seed: u64,
    /// Errors over epochs.
    pub(crate) points: Vec<ErrorPoint>,
}

/// The error of every trial over the epochs, and the mean of each arm while all of its trials have a value;
/// `across` is a line there.
///
/// `None` where no trial has a value after the start.
pub(crate) fn curves(
    id: &str,
    label: &str,
    arms: &[Curves],
    across: Option<&Across>,
) -> Option<Svg> {
    let mut series = Vec::new();
    let mut last: f64 = 0.0;
    for (number, arm) in arms.iter().enumerate() {
        let colour = Colour::Series(number);
        let stroke = if arm.dashed {
            Stroke::Dashed
        } else {
            Stroke::Solid
        };
        for trial in &arm.trials {
            let point = |point: &ErrorPoint| Point {
                x: point.epochs,
                y: point.error,
                title: Some(format!(
                    "{}, seed {}: {:.2}% after {:.2} epochs",
                    arm.title, trial.seed, point.error, point.epochs
                )),
            };
            last = trial
                .points
                .last()
                .map_or(last, |point| last.max(point.epochs));
            series.push(Series {
                colour,
                stroke: Stroke::None,
                points: trial.points.iter().map(point).collect(),
                ..Series::default()
            });
        }
        let mean = mean(&arm.trials);
        series.push(Series {
            name: arm.title.clone(),
            colour,
            stroke,
            points: mean,
            ..Series::default()
        });
    }
    if last <= 0.0 {
        return None;
    }
    if let Some(Across { name, level }) = across {
        let level = *level;
        series.push(Series {
            name: name.clone(),
            colour: Colour::Muted,
            points: vec![Point::new(0.0, level), Point::new(last, level)],
            ..Series::default()
        });
    }
    let chart = Chart {
        id,
        alt: label,
        x: Axis {
            label: "epochs",
            low: Some(0.0),
            whole: true,
            ..Axis::default()
        },
        y: Axis {
            label: "top-1 error, %",
            low: Some(0.0),
            ..Axis::default()
        },
        size: Size {
            width: 720.0,
            height: 440.0,
        },
    };
    Some(lines(&chart, &series))
}

/// The mean over the trials at every place where all of them have a value.
fn mean(trials: &[Curve]) -> Vec<Point> {
    let Some(first) = trials.first() else {
        return Vec::new();
    };
    let values = |x: f64| -> Option<Vec<f64>> {
        let at = |trial: &Curve| {
            let point = trial.points.iter().find(|point| point.epochs == x);
            point.map(|point| point.error)
        };
        trials.iter().map(at).collect()
    };
    let places = first.points.iter().map(|point| point.epochs);
    let point = |x| {
        let values = values(x)?;
        Some(Point::new(
            x,
            values.iter().sum::<f64>() / values.len() as f64,
        ))
    };
    places.filter_map(point).collect()
}

/// A chart as a file of its own, with the colours that a page's style sheet would bring.
pub(crate) fn standalone(svg: &Svg) -> String {
    let text = svg.render().into_string();
    match text.split_once('>') {
        Some((head, body)) => {
            format!(
                "{head}><style>{}\nsvg {{ background: var(--page); }}</style>{body}\n",
                colours()
            )
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{Across, Curve, Curves, curves, mean, standalone};
    use crate::study::crossing::ErrorPoint;

    fn curve(seed: u64, errors: &[f64]) -> Curve {
        let point = |(epoch, &error): (usize, &f64)| ErrorPoint {
            epochs: epoch as f64,
            error,
        };
        Curve {
            seed,
            points: errors.iter().enumerate().map(point).collect(),
        }
    }

    #[test]
    fn the_mean_ends_with_the_shortest_trial() {
        let trials = [curve(1, &[90.0, 40.0, 20.0]), curve(2, &[88.0, 50.0])];
        let mean: Vec<(f64, f64)> = mean(&trials)
            .iter()
            .map(|point| (point.x, point.y))
            .collect();
        assert_eq!(mean, [(0.0, 89.0), (1.0, 45.0)]);
    }

    #[test]
    fn a_figure_in_its_own_file_needs_no_page() {
        let arms = [Curves {
            title: "with <x>".to_owned(),
            dashed: true,
            trials: vec![curve(1, &[90.0, 40.0]), curve(2, &[80.0, 30.0])],
        }];
        let across = Across {
            name: "25%".to_owned(),
            level: 25.0,
        };
        let text = standalone(&curves("race", "Errors.", &arms, Some(&across)).unwrap());
        assert!(
            text.starts_with("<svg") && text.contains("--series-1:") && text.contains("dark"),
            "{text}"
        );
        assert!(text.contains("stroke-dasharray"), "{text}");
        assert!(text.contains("seed 2: 30.00% after 1.00 epochs"), "{text}");
        assert!(!text.contains("<x>"), "{text}");
    }

    #[test]
    fn without_trials_there_is_no_figure() {
        let arms = [Curves {
            title: "with".to_owned(),
            dashed: false,
            trials: Vec::new(),
        }];
        assert!(curves("race", "Errors.", &arms, None).is_none());
        assert!(curves("race", "Errors.", &[], None).is_none());
    }
}
