//! A JPEG decoder for training data: it decodes the region that is needed, into planes or rows of RGB.
//!
//! Two types are to be known. An [`Image`] is what a file says before its pixels: reading it takes no memory for
//! them. A [`Decoder`] keeps memory and tables from one image to the next, so each thread has one; its
//! [`rgb`](Decoder::rgb) gives the pixels of libjpeg-turbo, and its [`planes`](Decoder::planes) the components at the
//! sizes at which they are stored.
//!
//! ```
//! use jpeg_encoder::{ColorType, Encoder};
//! use shardmill_jpeg::{Decoder, Image, Options, Region};
//!
//! // 64x48 pixels, a brighter row each time.
//! let pixels: Vec<u8> = (0..64 * 48).flat_map(|i| [(i / 64 * 5) as u8; 3]).collect();
//! let mut file = Vec::new();
//! Encoder::new(&mut file, 95).encode(&pixels, 64, 48, ColorType::Rgb)?;
//!
//! let image = Image::parse(&file)?;
//! assert_eq!((image.width(), image.height()), (64, 48));
//! let region = Region { left: 8, top: 20, right: 40, bottom: 30 };
//! let mut rgb = Vec::new();
//! let mut decoder = Decoder::default();
//! let report = decoder.rgb(&image, region, Options::default(), &mut |strip| {
//!     assert_eq!(strip.top * 32 * 3, rgb.len());
//!     rgb.extend_from_slice(strip.rgb);
//! })?;
//! assert_eq!(rgb.len(), 32 * 10 * 3);
//! assert!(rgb[0].abs_diff(20 * 5) < 4);
//! assert!(!report.warnings.any());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It reads the sequential and progressive Huffman modes of ITU-T T.81 with 8 bits a sample: any division into scans,
//! restart intervals, samplings whose ratios are whole numbers, and grey, RGB, YCbCr, CMYK and YCCK by libjpeg's
//! rules. Other kinds are refused by name ([`Error::Unsupported`]).
//!
//! Damage at the cost of pixels is an error, or kept and reported ([`OnDamage`]); what is harmless is reported
//! ([`Warnings`]). With [`Extent::Whole`] no stream that libjpeg-turbo warns of is decoded without a word; otherwise
//! damage outside the region may not be seen. Memory is bounded by [`Limits`], and by the region for images of one
//! scan.
//!
//! It is a crate of its own and knows nothing of shards.

#![forbid(unsafe_code)]

mod bits;
mod blocks;
mod codes;
mod coefficients;
mod colour;
mod colour_space;
mod convert;
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
mod pairs;
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
