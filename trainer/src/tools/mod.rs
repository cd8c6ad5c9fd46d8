//! Instruments on top of everything else: benchmarks, checks, the demo, summaries, predictions, a view
//! of running trainings.

pub(crate) mod bench;
#[cfg(feature = "cuda")]
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod predict;
pub(crate) mod summary;
pub(crate) mod watch;
