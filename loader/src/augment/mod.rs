//! Windows, reflections and colour noise.

mod draw;
pub(crate) mod kernel;

pub(crate) use draw::{ColorNoise, views};
