//! What is drawn for a sample: its window, reflection and colours.

mod draw;
mod jitter;
mod resized;

pub use draw::Area;

pub(crate) use draw::{Augmentation, ColorNoise, View};
