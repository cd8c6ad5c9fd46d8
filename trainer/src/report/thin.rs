//! Long series made short enough to draw.

use super::chart::{Point, Range};

/// A series of few points, each the mean of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thinned {
    pub(crate) points: Vec<Point>,
    /// Lowest and highest value behind each point; empty where each point is one value.
    pub(crate) band: Vec<Range>,
    /// Most values behind a point; 1 where nothing was joined.
    pub(crate) joined: usize,
    /// Values that were no numbers.
    pub(crate) omitted: usize,
}

/// A series of `values` as (x, y), in order of x, in at most `most` points: means of equally many
/// neighbours. What is no number is left out and counted.
pub(crate) fn thinned(values: &[Point], most: usize) -> Thinned {
    let finite = |point: &&Point| point.x.is_finite() && point.y.is_finite();
    let kept: Vec<&Point> = values.iter().filter(finite).collect();
    let joined = kept.len().div_ceil(most.max(1)).max(1);
    let mut thinned = Thinned {
        joined,
        omitted: values.len() - kept.len(),
        ..Thinned::default()
    };
    if joined == 1 {
        thinned.points = kept.into_iter().cloned().collect();
        return thinned;
    }
    for bucket in kept.chunks(joined) {
        let mean = |value: fn(&Point) -> f64| {
            bucket
                .iter()
                .map(|point| value(point) / bucket.len() as f64)
                .sum::<f64>()
        };
        let x = mean(|point| point.x);
        thinned.points.push(Point::new(x, mean(|point| point.y)));
        let values = || bucket.iter().map(|point| point.y);
        thinned.band.push(Range {
            x,
            low: values().fold(f64::INFINITY, f64::min),
            high: values().fold(f64::NEG_INFINITY, f64::max),
        });
    }
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<Point> {
        (0..)
            .zip(values)
            .map(|(x, y)| Point::new(f64::from(x), *y))
            .collect()
    }

    #[test]
    fn a_short_series_stays_as_it_is() {
        let short = points(&[3.0, 1.0, 2.0]);
        let thinned = thinned(&short, 3);
        assert_eq!((thinned.points, thinned.joined), (short, 1));
        assert!(thinned.band.is_empty());
    }

    #[test]
    fn a_long_series_becomes_means_with_their_ranges() {
        let thinned = thinned(&points(&[1.0, 3.0, f64::NAN, 5.0, 6.0, 10.0]), 3);
        assert_eq!((thinned.joined, thinned.omitted), (2, 1));
        let values: Vec<f64> = thinned.points.iter().map(|point| point.y).collect();
        assert_eq!(values, [2.0, 5.5, 10.0]);
        assert_eq!((thinned.band[1].low, thinned.band[1].high), (5.0, 6.0));
        assert_eq!(thinned.points[1].x, 3.5);
    }

    #[test]
    fn ninety_epochs_of_steps_keep_their_mean() {
        let values: Vec<f64> = (0..10_000).map(|i| f64::from(i % 7)).collect();
        let thinned = thinned(&points(&values), 200);
        assert_eq!(thinned.points.len(), 200);
        let mean = thinned.points.iter().map(|point| point.y).sum::<f64>() / 200.0;
        assert!((mean - values.iter().sum::<f64>() / 10_000.0).abs() < 1e-9);
    }
}
