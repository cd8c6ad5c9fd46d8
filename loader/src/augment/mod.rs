//! Windows, reflections, resizing and colour.

mod canvas;
mod draw;
mod jitter;
pub(crate) mod kernel;
#[cfg(test)]
mod reference;
mod resized;

pub use draw::Area;
pub use kernel::MemoryLimits;

pub(crate) use canvas::Canvas;
pub(crate) use draw::{ColorNoise, View, views};
pub(crate) use jitter::Tint;
