//! Turns image trees into Shardmill shards, once.
//!
//! The two things to know are [`ingest`], which makes a dataset as [`IngestOptions`] say, and
//! [`ImageDecoder`], which turns the bytes of any image file into pixels exactly as an ingest does.
//!
//! ```no_run
//! use shardmill_prep::{IngestOptions, ingest, verify};
//!
//! let mut options = IngestOptions::new("imagenet/", "shards/");
//! options.codec = "jpeg".parse()?;
//! let summary = ingest(&options)?;
//! println!("{} images, {} rejects", summary.images(), summary.rejects.len());
//! assert!(verify("shards/".as_ref(), 0, false)?.faults.is_empty());
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
