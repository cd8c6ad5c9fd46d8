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

mod byte_size;
mod cli;
mod convert;
mod crew;
mod dataset;
mod decode;
mod error;
mod estimate;
mod export;
mod extract;
mod flusher;
mod geometry;
mod ingest;
mod inspect;
mod montage;
mod nearest;
mod observe;
mod options;
mod output;
mod plan;
mod progress;
mod reject;
mod rewrite;
mod safe_path;
mod source;
mod subset;
mod unfinished;
mod verify;
mod write;

pub use byte_size::ByteSize;
pub use cli::run_command_line;
pub use convert::{ConvertOptions, convert};
pub use crew::MOST_THREADS;
pub use decode::{
    Check, DecodeOptions, Exif, Filter, ImageDecoder, Resize, Truncated, UnknownChoice, Warning,
    silence_decoder_panics,
};
pub use error::PrepError;
pub use estimate::{CodecEstimate, Estimate, estimate};
pub use export::{ExportFormat, ExportOptions, ExportSummary, export};
pub use extract::{Extracted, Selector, extract};
pub use ingest::{IngestSummary, Ingested, Merged, ingest, ingest_part, merge};
pub use inspect::{Inspection, inspect};
pub use montage::{contact_sheet, montage};
pub use observe::{Observe, Observer};
pub use options::{IngestOptions, MaxRejects, OnError, Part};
pub use reject::{Reject, RejectLine, WarningLine};
pub use rewrite::Rewritten;
pub use source::{ImageFiles, Layout, PassedFiles, PassedKind, PassedOver, image_files, path_text};
pub use subset::{SubsetOptions, subset};
pub use unfinished::unfinished;
pub use verify::{Fault, Verification, verify, verify_observed};
pub use write::{DatasetWriter, Image, Sample, WriteOptions, WriteSummary, class_list};
