//! What a run reports: lines for programs, a bar or lines for people.

mod events;
mod line;
mod meter;
mod metrics;
mod screen;

pub use screen::Display;

pub(crate) use events::Events;
pub(crate) use line::{Line, eta, speed};
pub(crate) use meter::Meter;
pub(crate) use metrics::Metrics;
pub(crate) use screen::Screen;
