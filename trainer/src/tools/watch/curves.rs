//! The curves of a run, over epochs.

use crate::run::View;
use crate::run::log::History;

/// A curve: epochs since the run began, and the value there. (The form that `ratatui` draws.)
pub(crate) type Curve = Vec<(f64, f64)>;

/// The curves of a run. Errors and data wait are in percent, rates of images in images a second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curves {
    pub(crate) loss: Curve,
    pub(crate) top1: Curve,
    pub(crate) top5: Curve,
    pub(crate) lr: Curve,
    pub(crate) speed: Curve,
    pub(crate) wait: Curve,
    /// Of the validation split, from the centre view.
    pub(crate) val_loss: Curve,
    pub(crate) val_top1: Curve,
    pub(crate) val_top5: Curve,
}

impl Curves {
    pub(crate) fn of(history: &History) -> Self {
        let epochs_per_step = 1.0 / steps_per_epoch(history);
        let mut curves = Self::default();
        for point in &history.steps {
            let at = point.step as f64 * epochs_per_step;
            curves.loss.push((at, point.loss));
            curves.top1.push((at, point.top1_error));
            curves.top5.push((at, point.top5_error));
            curves.lr.push((at, point.lr));
            curves.speed.push((at, point.images_per_second));
            curves.wait.push((at, 100.0 * point.data_wait));
        }
        let evaluations = history.evaluations.iter();
        for point in evaluations.filter(|point| point.views == View::Center) {
            let at = point.step as f64 * epochs_per_step;
            curves.val_loss.push((at, point.scores.loss));
            curves.val_top1.push((at, point.scores.top1_error));
            curves.val_top5.push((at, point.scores.top5_error));
        }
        curves
    }
}

/// Steps of an epoch: from the run's first line, or from its first whole epoch where that line is lost.
pub(crate) fn steps_per_epoch(history: &History) -> f64 {
    let start = history.start.as_ref().map(|start| {
        let images = start.recipe.step_images().max(1) as u64;
        start.train_images.div_ceil(images)
    });
    let whole = || {
        let epoch = history.epochs.first()?;
        Some(epoch.step / epoch.epoch.max(1))
    };
    start.or_else(whole).unwrap_or(1).max(1) as f64
}

/// At most `count` points: the means of as many equal stretches of the curve.
pub(crate) fn thinned(curve: &[(f64, f64)], count: usize) -> Curve {
    if curve.len() <= count || count == 0 {
        return curve[..curve.len().min(count)].to_vec();
    }
    let mut means = Vec::with_capacity(count);
    for number in 0..count {
        let [from, to] = [number, number + 1].map(|edge| edge * curve.len() / count);
        let stretch = &curve[from..to];
        let mean = |value: fn(&(f64, f64)) -> f64| {
            stretch.iter().map(value).sum::<f64>() / stretch.len() as f64
        };
        means.push((mean(|point| point.0), mean(|point| point.1)));
    }
    means
}

/// The least and the largest value; `None` without points.
pub(crate) fn range(curve: &[(f64, f64)]) -> Option<[f64; 2]> {
    let first = curve.first()?.1;
    let values = curve.iter().map(|point| point.1);
    Some(values.fold([first, first], |[least, largest], value| {
        [least.min(value), largest.max(value)]
    }))
}

/// A curve as a line of text, at most `width` characters of eight heights.
pub(crate) fn sparkline(curve: &[(f64, f64)], width: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let means = thinned(curve, width);
    let Some([least, largest]) = range(&means) else {
        return String::new();
    };
    let height = |value: f64| {
        let share = (value - least) / (largest - least);
        // A flat curve has no share.
        let eighth = if share.is_finite() { share * 7.0 } else { 0.0 };
        HEIGHTS[eighth.round() as usize]
    };
    means.iter().map(|point| height(point.1)).collect()
}

#[cfg(test)]
mod tests {
    use super::{range, sparkline, thinned};

    fn ramp(count: usize) -> Vec<(f64, f64)> {
        (0..count).map(|at| (at as f64, 10.0 * at as f64)).collect()
    }

    #[test]
    fn a_curve_with_too_many_points_becomes_the_means_of_its_stretches() {
        assert_eq!(thinned(&ramp(3), 5), ramp(3));
        assert_eq!(thinned(&ramp(6), 3), [(0.5, 5.0), (2.5, 25.0), (4.5, 45.0)]);
        assert_eq!(thinned(&ramp(6), 1), [(2.5, 25.0)]);
        assert!(thinned(&ramp(6), 0).is_empty());
        // 7 points in 3: none is lost or counted twice.
        let means = thinned(&ramp(7), 3);
        assert_eq!(means, [(0.5, 5.0), (2.5, 25.0), (5.0, 50.0)]);
    }

    #[test]
    fn a_line_of_text_has_the_heights_of_the_curve() {
        assert_eq!(sparkline(&ramp(8), 20), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[(0.0, 3.0), (1.0, 3.0)], 20), "▁▁");
        assert_eq!(sparkline(&[], 20), "");
        assert_eq!(sparkline(&ramp(1000), 4).chars().count(), 4);
        assert_eq!(range(&ramp(4)), Some([0.0, 30.0]));
    }
}
