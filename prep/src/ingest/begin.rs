//! How an ingest begins: the source is listed and planned, and the output is taken.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use shardmill_formats::{Class, Manifest, Source};

use super::journal::IngestHeader;
use super::options::IngestOptions;
use super::output::Output;
use super::plan::Plan;
use super::summary::IngestSummary;
use super::work::PartWork;
use super::{limit, manifest_size};
use crate::error::PrepError;
use crate::io::Choices;
use crate::reject::OnError;
use crate::source::{Container, PassedOver, SourceRequest, list};

/// What an ingest finds.
pub(super) enum Beginning {
    /// The dataset is complete already.
    Complete(Box<IngestSummary>),
    Unfinished(Box<Unfinished>),
}

/// An ingest that has shards left to make.
pub(super) struct Unfinished {
    pub(super) plan: Plan,
    pub(super) work: PartWork,
    /// Files that hold more than one image.
    pub(super) containers: Vec<Container>,
    pub(super) passed_over: PassedOver,
    pub(super) notes: Vec<String>,
}

/// Lists and plans what `request` asks for, and takes the output. `start` is when the ingest began.
///
/// # Errors
/// As [`ingest`](fn@crate::ingest()), before anything is decoded.
pub(super) fn begin(
    options: &IngestOptions,
    request: &SourceRequest<'_>,
    start: Instant,
) -> Result<Beginning, PrepError> {
    check_options(options)?;
    let output = Output::look(&options.out)?;
    if output.is_finished() {
        output.check_options(&manifest(options, "", Vec::new(), 0))?;
    }
    let mut listing = list(request)?;
    options.observer.check()?;
    let images = listing.images();
    if options.on_error == OnError::Stop
        && !output.is_finished()
        && let Some(line) = listing.known_reject()
    {
        // Before anything is made, since the plan changes when the image is repaired.
        limit::check(options, images, &[line])?;
    }
    let plan = Plan::new(options, &mut listing);
    let names = plan.shard_names();
    if output.is_finished() {
        let (manifest, rejects) = output.finished(&plan.fingerprint, &names, options)?;
        return Ok(Beginning::Complete(Box::new(IngestSummary {
            rejects,
            manifest,
            warned: BTreeMap::new(),
            warnings: Vec::new(),
            passed_over: listing.passed,
            was_complete: true,
            notes: noted(
                listing.notes,
                &format!("{} holds this dataset", options.out.display()),
            ),
            seconds: start.elapsed().as_secs_f64(),
        })));
    }
    let classes = std::mem::take(&mut listing.classes);
    let header = IngestHeader {
        fingerprint: plan.fingerprint.clone(),
        part: options.part,
        shards: plan
            .splits
            .iter()
            .map(|split| (split.name.to_owned(), split.shards().len()))
            .collect(),
        unlabelled: plan
            .splits
            .iter()
            .filter(|split| split.entries.iter().all(|entry| entry.label < 0))
            .map(|split| split.name.to_owned())
            .collect(),
        manifest: manifest(options, listing.layout.name(), classes, images),
        choices: Choices::default()
            .with("--shard-records", options.shard_records)
            .with("--check", options.decode.check),
    };
    manifest_size::check(&options.source, &header.manifest, names.len())?;
    let work = output.take(header, &names, options)?;
    let mut notes = listing.notes;
    if let earlier @ 1.. = work.lines().len() {
        let what = format!("{earlier} shards that an earlier run finished were kept");
        notes = noted(notes, &what);
    }
    Ok(Beginning::Unfinished(Box::new(Unfinished {
        plan,
        work,
        containers: listing.containers,
        passed_over: listing.passed,
        notes,
    })))
}

/// Adds a note that work of an earlier run is `kept`, and how it was compared.
fn noted(mut notes: Vec<String>, kept: &str) -> Vec<String> {
    notes.push(format!(
        "{kept}; images were compared by their names and labels, not by their contents: after changing images, \
         start over with another --out"
    ));
    notes
}

/// Keys of a list are relative to the list's folder, all others to the source.
pub(super) fn reader_root(source: &Path) -> &Path {
    if source.is_file() {
        source.parent().unwrap_or(Path::new(""))
    } else {
        source
    }
}

/// # Errors
/// Options without meaning.
pub(super) fn check_options(options: &IngestOptions) -> Result<(), PrepError> {
    options.record().check()?;
    if !(0.0..1.0).contains(&options.val_fraction) {
        return Err(PrepError::Option {
            option: "val-fraction",
            found: options.val_fraction.to_string(),
            expected: "give a share of at least 0 and below 1".to_owned(),
        });
    }
    Ok(())
}

/// The manifest as far as the plan knows it.
pub(super) fn manifest(
    options: &IngestOptions,
    layout: &str,
    classes: Vec<Class>,
    images: u64,
) -> Manifest {
    let source = Source {
        layout: layout.to_owned(),
        images,
    };
    options.record().manifest(source, classes, options.seed)
}
