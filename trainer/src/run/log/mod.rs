//! What a run logs: lines for programs, a bar or lines for people; and those lines read again.

mod events;
mod history;
mod line;
mod metrics;
mod screen;

pub use screen::Display;

pub(crate) use self::{
    events::Events,
    history::{
        EpochPoint, EvaluationPoint, History, HistoryError, RunStart, StepPoint, WarningPoint,
    },
    line::{Line, speed},
    metrics::Metrics,
    screen::Screen,
};
