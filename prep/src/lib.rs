//! Converts image datasets into Shardmill shards, once.
//!
//! [`ingest`](fn@ingest) makes a dataset of a source as [`IngestOptions`] say, and [`DatasetWriter`] one of samples
//! that a program pushes. [`verify`] and the module [`dataset`] work on finished datasets. [`ImageDecoder`] turns
//! the bytes of any image file into pixels exactly as an ingest does. [`run_command_line`] is the program `prep`.
//!
//! ```
//! use image::{Rgb, RgbImage};
//! use shardmill_prep::dataset::{ConvertOptions, convert};
//! use shardmill_prep::{IngestOptions, ingest, verify};
//!
//! // A folder for each class.
//! let work = tempfile::tempdir()?;
//! let images = work.path().join("images");
//! for (class, level) in [("cat", 40), ("dog", 200)] {
//!     let folder = images.join("train").join(class);
//!     std::fs::create_dir_all(&folder)?;
//!     RgbImage::from_pixel(64, 48, Rgb([level; 3])).save(folder.join("1.png"))?;
//! }
//!
//! let mut options = IngestOptions::new(&images, work.path().join("shards"));
//! options.size = 32;
//! options.decode.filter = "bicubic".parse()?;
//! let summary = ingest(&options)?;
//! assert_eq!((summary.images(), summary.rejects.len()), (2, 0));
//! assert!(verify(&options.out, 0, false)?.faults.is_empty());
//!
//! // The same dataset, smaller.
//! let jpeg = ConvertOptions::new(&options.out, work.path().join("jpeg"), "jpeg".parse()?);
//! assert_eq!(convert(&jpeg)?.manifest.splits["train"].records, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod choice;
mod cli;
pub mod dataset;
pub mod decode;
mod error;
pub mod ingest;
mod io;
mod observe;
mod part;
mod record;
mod reject;
mod shards;
pub mod source;
mod write;

pub use cli::run_command_line;
pub use dataset::{Verification, verify};
pub use decode::{DecodeOptions, ImageDecoder, silence_decoder_panics};
pub use error::PrepError;
pub use ingest::{IngestOptions, IngestSummary, MaxRejects, estimate, ingest};
pub use io::unfinished::unfinished;
pub use observe::{Observe, Observer};
pub use reject::{OnError, Reject};
pub use source::{Layout, image_files, path_text};
pub use write::{DatasetWriter, Image, Sample, WriteOptions, WriteSummary, class_list};
