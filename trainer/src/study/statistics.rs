//! Means of a few trials, with their spread.

/// Mean and spread of some trials.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Number of trials.
    pub(crate) n: usize,
    /// Their mean.
    pub(crate) mean: f64,
    /// Their sample standard deviation (over n - 1); `None` for one trial.
    pub(crate) deviation: Option<f64>,
}

/// Two-sided 95% points of Student's t distribution for 1 to 30 degrees of freedom. Beyond, 1.96 is near.
const T_95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

impl Sample {
    /// The mean and spread of `values`; `None` where there are none.
    #[must_use]
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            n,
            mean,
            deviation: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
        })
    }

    /// Standard error of the mean; `None` for one trial.
    #[must_use]
    pub(crate) fn standard_error(&self) -> Option<f64> {
        Some(self.deviation? / (self.n as f64).sqrt())
    }

    /// Half the width of the mean's 95% confidence interval by Student's t; `None` for one trial.
    #[must_use]
    pub(crate) fn half_interval(&self) -> Option<f64> {
        let t = T_95.get(self.n.checked_sub(2)?).copied().unwrap_or(1.96);
        Some(t * self.standard_error()?)
    }
}

/// A ratio of two means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    /// The ratio of the means.
    pub(crate) mean: f64,
    /// Its standard error by the first-order rule for independent means: the squares of the relative standard
    /// errors add up. `None` where one of the two has one trial.
    pub(crate) standard_error: Option<f64>,
    /// The lowest and highest ratio of any trial of the one to any of the other.
    pub(crate) range: [f64; 2],
}

impl Ratio {
    /// The ratio of `upper` to `lower`; `None` where one has no trial.
    #[must_use]
    pub(crate) fn of(upper: &[f64], lower: &[f64]) -> Option<Self> {
        let (a, b) = (Sample::of(upper)?, Sample::of(lower)?);
        let mean = a.mean / b.mean;
        let error = |sample: Sample| Some(sample.standard_error()? / sample.mean);
        let standard_error = error(a).zip(error(b)).map(|(a, b)| mean * a.hypot(b));
        let pairs = upper.iter().flat_map(|a| lower.iter().map(move |b| a / b));
        let (low, high) = pairs.fold((f64::INFINITY, 0.0_f64), |(low, high), ratio| {
            (low.min(ratio), high.max(ratio))
        });
        Some(Self {
            mean,
            standard_error,
            range: [low, high],
        })
    }
}

/// Standard error, in points of a percent, of an error of `error` percent that was counted on `images` images.
#[must_use]
pub(crate) fn counting_error(error: f64, images: u64) -> f64 {
    let share = error / 100.0;
    100.0 * (share * (1.0 - share) / images as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{Ratio, Sample, counting_error};

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn mean_and_spread_are_those_by_hand() {
        // Deviations -2, 0, 2: variance 8 / 2 = 4.
        let sample = Sample::of(&[8.0, 10.0, 12.0]).unwrap();
        assert_eq!(
            (sample.n, sample.mean, sample.deviation),
            (3, 10.0, Some(2.0))
        );
        assert!(near(
            sample.standard_error().unwrap(),
            1.154_700_538_379_251_7
        ));
        assert!(near(
            sample.half_interval().unwrap(),
            4.303 * 1.154_700_538_379_251_7
        ));
    }

    #[test]
    fn one_trial_has_no_spread_and_none_has_no_mean() {
        let one = Sample::of(&[3.0]).unwrap();
        assert_eq!((one.deviation, one.half_interval()), (None, None));
        assert_eq!(Sample::of(&[]), None);
    }

    #[test]
    fn a_ratio_has_the_spread_of_both_means() {
        // Means 30 and 6, standard errors 2 / sqrt 3 and 1 / sqrt 3.
        let ratio = Ratio::of(&[28.0, 30.0, 32.0], &[5.0, 6.0, 7.0]).unwrap();
        assert!(near(ratio.mean, 5.0));
        assert_eq!(ratio.range, [4.0, 6.4]);
        let relative = (4.0 / 3.0 / 900.0 + 1.0 / 3.0 / 36.0_f64).sqrt();
        assert!(near(ratio.standard_error.unwrap(), 5.0 * relative));
        assert_eq!(Ratio::of(&[2.0], &[1.0, 3.0]).unwrap().standard_error, None);
        assert_eq!(Ratio::of(&[], &[1.0]), None);
    }

    #[test]
    fn a_quarter_of_ten_thousand_images_is_counted_to_less_than_half_a_point() {
        assert!(near(counting_error(25.0, 10_000), 0.433_012_701_892_219_3));
        assert_eq!(counting_error(0.0, 10), 0.0);
    }
}
