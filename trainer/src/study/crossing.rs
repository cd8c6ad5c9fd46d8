//! Where a curve of errors first falls to a level.

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ErrorPoint {
    /// Epochs since the start.
    pub(crate) epochs: f64,
    /// Error in percent.
    pub(crate) error: f64,
}

/// Epochs after which the error is at `level` or below for the first time. Between two measurements the error
/// is taken as a straight line. `None`: it never is.
#[must_use]
pub(crate) fn crossing(curve: &[ErrorPoint], level: f64) -> Option<f64> {
    let at = curve.iter().position(|point| point.error <= level)?;
    let below = curve[at];
    let Some(above) = at.checked_sub(1).map(|before| curve[before]) else {
        return Some(below.epochs);
    };
    let share = (above.error - level) / (above.error - below.error);
    Some(above.epochs + share * (below.epochs - above.epochs))
}

#[cfg(test)]
mod tests {
    use super::{ErrorPoint, crossing};

    fn curve(errors: &[f64]) -> Vec<ErrorPoint> {
        let point = |(half, &error): (usize, &f64)| ErrorPoint {
            epochs: half as f64 / 2.0,
            error,
        };
        errors.iter().enumerate().map(point).collect()
    }

    #[test]
    fn a_level_between_two_measurements_is_interpolated() {
        assert_eq!(
            crossing(&curve(&[90.0, 40.0, 20.0, 10.0]), 25.0),
            Some(0.875)
        );
        assert_eq!(crossing(&curve(&[90.0, 25.0, 20.0]), 25.0), Some(0.5));
    }

    #[test]
    fn the_first_of_several_crossings_counts() {
        let found = crossing(&curve(&[90.0, 30.0, 20.0, 30.0, 10.0]), 25.0);
        assert_eq!(found, Some(0.75));
    }

    #[test]
    fn a_curve_that_stays_above_has_no_crossing_and_one_that_begins_below_has_it_there() {
        assert_eq!(crossing(&curve(&[90.0, 26.0]), 25.0), None);
        assert_eq!(crossing(&curve(&[90.0, f64::NAN]), 25.0), None);
        assert_eq!(crossing(&[], 25.0), None);
        assert_eq!(crossing(&curve(&[20.0, 10.0]), 25.0), Some(0.0));
    }
}
