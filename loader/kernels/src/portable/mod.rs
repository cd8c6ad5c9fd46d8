//! The kernels in safe code, for every processor.

mod resize;
mod window;

pub(crate) use resize::Passes;
pub(crate) use window::{bytes, floats};
