//! What an ingest would read, and what it would take.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use serde::Serialize;
use shardmill_formats::{Codec, Printable};

use super::begin::{check_options, reader_root};
use super::options::IngestOptions;
use super::plan::Plan;
use super::stored_sizes::stored_sizes;
use crate::error::PrepError;
use crate::io::pool::number_of;
use crate::source::{Entry, PassedOver, Reader, list};

/// What [`estimate`] found.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// Name of the source's layout.
    pub layout: &'static str,
    /// Number of classes.
    pub classes: usize,
    /// Images of each split.
    pub images: BTreeMap<String, u64>,
    /// Files of the source that are neither records nor rejects.
    pub passed_over: PassedOver,
    /// Sentences about how the source was read.
    pub notes: Vec<String>,
    /// Images that were decoded for the estimate.
    pub sample: usize,
    /// Of these, images that would be rejected.
    pub sample_rejects: usize,
    /// Threads that the times hold for.
    pub threads: usize,
    /// Size and time with each codec.
    pub codecs: Vec<CodecEstimate>,
}

/// Size and time of an ingest with one codec.
#[derive(Clone, Debug, Serialize)]
pub struct CodecEstimate {
    /// The codec.
    pub codec: Codec,
    /// Size of the shards, in bytes.
    pub bytes: u64,
    /// Wall-clock time, in seconds, if reading and writing keep up with the processors.
    pub seconds: f64,
}

/// Lists what an ingest would read, and decodes and encodes about `sample` images spread evenly over
/// it to estimate size and time with each codec. Nothing is written.
///
/// # Errors
/// A source that cannot be listed or read.
pub fn estimate(options: &IngestOptions, sample: usize) -> Result<Estimate, PrepError> {
    check_options(options)?;
    let mut listing = list(&options.source_request())?;
    let (classes, total) = (listing.classes.len(), listing.images());
    let counts = listing.splits.iter();
    let images = counts
        .map(|(name, entries)| ((*name).to_owned(), entries.len() as u64))
        .collect();
    let plan = Plan::new(options, &mut listing);
    let reader = Reader::new(reader_root(&options.source), listing.containers);
    let every = (total as usize).div_ceil(sample.max(1)).max(1);
    let chosen = plan
        .splits
        .iter()
        .flat_map(|split| &split.entries)
        .step_by(every);
    let chosen: Vec<&Entry> = chosen.collect();
    let (mut codecs, mut rejects) = (Vec::new(), 0);
    for codec in Codec::ALL {
        let options = IngestOptions {
            codec,
            ..options.clone()
        };
        let start = Instant::now();
        let sizes = stored_sizes(&options, &chosen, &reader)?;
        let share = total as f64 / chosen.len() as f64;
        rejects = sizes.iter().filter(|size| size.is_none()).count();
        let bytes: u64 = sizes.iter().flatten().sum();
        codecs.push(CodecEstimate {
            codec,
            bytes: (bytes as f64 * share) as u64,
            seconds: start.elapsed().as_secs_f64() * share,
        });
    }
    Ok(Estimate {
        layout: listing.layout.name(),
        classes,
        images,
        passed_over: listing.passed,
        notes: listing.notes,
        sample: chosen.len(),
        sample_rejects: rejects,
        threads: number_of(options.threads),
        codecs,
    })
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "layout   {}", self.layout)?;
        writeln!(f, "classes  {}", self.classes)?;
        for (split, images) in &self.images {
            writeln!(f, "{split:<8} {images} images")?;
        }
        write!(f, "{}", self.passed_over)?;
        for note in &self.notes {
            writeln!(f, "note: {}", Printable(note))?;
        }
        writeln!(
            f,
            "\ncodec        size        time on {} threads",
            self.threads
        )?;
        for codec in &self.codecs {
            let size = match codec.bytes as f64 {
                bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
                bytes => format!("{:.2} GB", bytes / 1e9),
            };
            let time = match codec.seconds {
                seconds if seconds < 10.0 => format!("{seconds:.1} s"),
                seconds if seconds < 120.0 => format!("{seconds:.0} s"),
                seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
                seconds => format!("{:.1} h", seconds / 3600.0),
            };
            writeln!(f, "{:<7} {size:>11}  {time:>10}", codec.codec.to_string())?;
        }
        write!(f, "\nestimated from {} images", self.sample)?;
        match self.sample_rejects {
            0 => writeln!(f),
            rejects => writeln!(f, ", {rejects} of which would be rejected"),
        }
    }
}
