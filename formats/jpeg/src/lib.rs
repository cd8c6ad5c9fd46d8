//! A JPEG decoder for training data: it decodes the region that is needed, into planes or rows of RGB.
//!
//! An [`Image`] is what a file says before its pixels; a [`Decoder`] keeps memory and tables from one image to
//! the next, so each thread has one.
//!
//! It is a crate of its own and knows nothing of shards.

#![forbid(unsafe_code)]

mod bits;
mod codes;
mod colour;
mod colour_space;
mod damage;
mod decoder;
mod entropy;
mod float;
mod header;
mod integer;
mod lanes;
mod planes;
mod rows;
mod sequential;
#[doc(hidden)]
pub mod standard;
mod upsample;
mod vectorise;

pub use damage::{Damage, Error, Report, Warnings};
pub use decoder::{Decoder, Extent, Options};
pub use header::Image;
pub use planes::{Plane, Region};
pub use rows::Strip;

/// What prep's survey of irregular files uses, until it lies in this crate.
#[doc(hidden)]
pub mod survey {
    pub use crate::bits::Bits;
    pub use crate::codes::{Codes, Listed};
    pub use crate::colour_space::{ColourMarks, ColourSpace};
    pub use crate::damage::left_over;
    pub use crate::entropy::Entropy;
}
