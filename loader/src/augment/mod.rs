//! Windows, reflections and colour noise.

mod draw;
pub(crate) mod kernel;

pub use kernel::MemoryLimits;

pub(crate) use draw::{ColorNoise, views};
