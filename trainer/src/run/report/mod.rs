//! What a run tells: lines for programs, a bar or lines for people.

mod events;
mod line;
mod meter;
mod metrics;
mod screen;

pub use screen::Display;

pub(crate) use events::Events;
pub(crate) use line::{EvaluationLine, Line, StepLine, speed};
pub(crate) use meter::Meter;
pub(crate) use metrics::Metrics;
pub(crate) use screen::Screen;

/// A learning rate for people: six digits, so that 0.003 divided by 10 is 0.0003.
pub(crate) fn rate(lr: f64) -> f64 {
    format!("{lr:.5e}").parse().unwrap_or(lr)
}

#[cfg(test)]
mod tests {
    #[test]
    fn rates_are_printed_as_they_were_meant() {
        assert_eq!(super::rate(0.003 / 10.0).to_string(), "0.0003");
        assert_eq!(super::rate(0.1 + 0.2).to_string(), "0.3");
        assert_eq!(super::rate(1e-5).to_string(), "0.00001");
        assert_eq!(super::rate(f64::NAN).to_string(), "NaN");
    }
}
