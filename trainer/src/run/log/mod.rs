//! What a run logs: lines for programs, a bar or lines for people; and those lines read again.

mod duration;
mod events;
mod figures;
mod history;
mod line;
mod metrics;
mod screen;

pub use screen::Display;

pub(crate) use self::{
    duration::in_two_units,
    events::Events,
    figures::Figures,
    history::{EpochPoint, EvaluationPoint, History, HistoryError, StepPoint},
    line::Line,
    metrics::Metrics,
    screen::Screen,
};

#[cfg(test)]
pub(crate) use self::history::{RunStart, WarningPoint};
