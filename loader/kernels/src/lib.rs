//! What computes the pixels of the loader's batches: window, reflection, resizing, colour jitter,
//! normalisation, conversion and layout, and the memory that they are written to.
//!
//! A crate of its own, so that it is compiled once and not again for the loader's tests. It knows
//! neither datasets nor random numbers; [`Kernel`] writes a window of a record into a batch, whole or by
//! rows, [`Resize`] does so with a window of another size, and [`Canvas`] makes the window first where
//! its colours change.
//!
//! ```
//! use shardmill_kernels::{Affine, Floats, Kernel, Layout, Window};
//!
//! // A record of 2x2 pixels, of which the lower right one is normalised.
//! let rgb = [0, 0, 0, 10, 20, 30, 0, 0, 0, 51, 102, 153];
//! let window = Window { rgb: &rgb, width: 2, top: 1, left: 1, crop: 1, flip: false };
//! let affine = Affine { scale: [1.0 / 51.0; 3], offset: [-1.0; 3] };
//! let mut pixel = [0.0; 3];
//! Kernel::new(false).floats(window, affine, Layout::Nhwc, Floats::F32(&mut pixel));
//! assert_eq!(pixel, [0.0, 1.0, 2.0]);
//! ```

#![deny(unsafe_code)]

mod arithmetic;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod axis;
mod canvas;
mod colour;
mod instructions;
mod kernel;
mod limits;
mod pages;
mod portable;
mod resize;
mod tint;
mod value;
mod window;

pub use canvas::Canvas;
pub use colour::Colours;
pub use kernel::{Floats, Kernel, Slot, Values};
pub use limits::{MemoryLimits, store_around_caches};
pub use pages::Pages;
pub use resize::{Resize, Resized};
pub use tint::{Step, Tint};
pub use window::{Affine, Image, Layout, Rectangle, Strip, Window};
