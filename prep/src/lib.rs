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
mod dataset;
mod decode;
mod error;
mod ingest;
mod io;
mod observe;
mod part;
mod record;
mod reject;
mod shards;
mod source;
mod write;

pub use choice::UnknownChoice;
pub use cli::{ByteSize, run_command_line};
pub use dataset::convert::{ConvertOptions, convert};
pub use dataset::export::{ExportFormat, ExportOptions, ExportSummary, export};
pub use dataset::extract::{Extracted, Selector, extract};
pub use dataset::inspect::{Inspection, inspect};
pub use dataset::montage::{contact_sheet, montage};
pub use dataset::subset::{SubsetOptions, subset};
pub use dataset::verify::{Fault, Verification, verify, verify_observed};
pub use decode::{
    Check, DecodeOptions, Exif, Filter, ImageDecoder, Resize, Truncated, Warning,
    silence_decoder_panics,
};
pub use error::PrepError;
pub use ingest::estimate::{CodecEstimate, Estimate, estimate};
pub use ingest::options::{IngestOptions, MaxRejects};
pub use ingest::{IngestSummary, Ingested, Merged, ingest, ingest_part, merge};
pub use io::unfinished::unfinished;
pub use observe::{Observe, Observer};
pub use part::Part;
pub use reject::{OnError, Reject, RejectLine, WarningLine};
pub use shards::Rewritten;
pub use source::{ImageFiles, Layout, PassedFiles, PassedKind, PassedOver, image_files, path_text};
pub use write::{DatasetWriter, Image, Sample, WriteOptions, WriteSummary, class_list};
