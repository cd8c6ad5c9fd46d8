//! What was made.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use shardmill_formats::{Printable, size};

use crate::net::scores::Scores;

/// A page that was written.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Written {
    /// The page.
    pub(crate) page: PathBuf,
    pub(crate) bytes: u64,
    /// The checkpoint that was looked at.
    pub(crate) checkpoint: Option<CheckpointUsed>,
    pub(crate) sections: Vec<SectionMade>,
    /// What is not on the page.
    pub(crate) missing: Vec<MissingPart>,
    pub(crate) figures: KeyFigures,
}

/// A checkpoint and where it stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CheckpointUsed {
    pub(crate) file: PathBuf,
    pub(crate) epoch: u64,
    pub(crate) step: u64,
}

/// A section of a page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SectionMade {
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) figures: usize,
    pub(crate) tables: usize,
}

/// Something that is not on a page, and why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MissingPart {
    /// The section that says so.
    pub(crate) section: &'static str,
    pub(crate) reason: String,
}

/// The figures that people ask for first; errors in percent.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct KeyFigures {
    pub(crate) epochs: u64,
    pub(crate) planned_epochs: Option<u64>,
    pub(crate) finished: bool,
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
    pub(crate) parameters: Option<u64>,
    /// Of all evaluations from the centre view, that of the lowest top-1 error.
    pub(crate) best: Option<Scores>,
    /// Of the checkpoint.
    pub(crate) center: Option<Scores>,
    pub(crate) ten: Option<Scores>,
    /// Share of nearest training images of the same class, 0 to 1.
    pub(crate) neighbours: Vec<AgreementFigure>,
}

/// How often neighbours are of the same class.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct AgreementFigure {
    /// How many of the nearest are looked at.
    pub(crate) count: usize,
    pub(crate) share: f64,
    pub(crate) chance: f64,
}

/// Size from which on a page is called large.
const LARGE: u64 = 5_000_000;

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures: usize = self.sections.iter().map(|section| section.figures).sum();
        let page = self.page.display().to_string();
        writeln!(
            f,
            "{} ({}, {} sections, {figures} figures)",
            Printable(&page),
            size(self.bytes),
            self.sections.len()
        )?;
        for part in &self.missing {
            writeln!(f, "not in it: {}", Printable(&part.reason))?;
        }
        if self.bytes > LARGE {
            writeln!(
                f,
                "note: that is large for a page; `--no-images` leaves the photographs out"
            )?;
        }
        Ok(())
    }
}
