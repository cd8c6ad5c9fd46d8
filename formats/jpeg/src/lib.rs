//! A JPEG decoder for training data: it decodes the region that is needed, into planes or rows of RGB.
//!
//! An [`Image`] is what a file says before its pixels; a [`Decoder`] keeps memory and tables from one image to
//! the next, so each thread has one.
//!
//! It is a crate of its own and knows nothing of shards.

#![forbid(unsafe_code)]

mod bits;
mod blocks;
mod codes;
mod coefficients;
mod colour;
mod colour_space;
mod damage;
mod decoder;
mod entropy;
mod float;
mod frame;
mod header;
mod integer;
mod intervals;
mod lanes;
mod multiscan;
mod options;
mod planes;
mod progression;
mod rows;
mod scan_header;
mod segments;
mod sequential;
mod standard;
mod tables;
mod transform;
mod upsample;
mod vectorise;
mod zigzag;

pub use colour_space::ColourSpace;
pub use damage::{Damage, Error, Report, Warnings};
pub use decoder::Decoder;
pub use header::Image;
pub use options::{Extent, Limits, OnDamage, Options};
pub use planes::{Plane, Region};
pub use rows::Strip;
