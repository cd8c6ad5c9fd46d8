//! What a run reports: lines for programs, a bar or lines for people.

mod events;
mod line;
mod metrics;
mod screen;

pub use screen::Display;

pub(crate) use self::{
    events::Events,
    line::{Line, speed},
    metrics::Metrics,
    screen::Screen,
};
