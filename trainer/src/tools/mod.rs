//! Instruments on top of everything else: benchmarks, checks, the demo, summaries, predictions.

pub mod bench;
#[cfg(feature = "cuda")]
pub mod check;
pub mod demo;
pub mod doctor;
pub mod predict;
pub mod summary;
