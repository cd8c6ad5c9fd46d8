//! Making, verifying and describing datasets.

use std::path::PathBuf;
use std::str::FromStr;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shardmill_prep::{DecodeOptions, IngestOptions};

use crate::errors::plain;
use crate::observe::observed;

/// Parses the value of an option with named values.
pub(crate) fn parsed<T: FromStr>(py: Python<'_>, option: &str, text: &str) -> PyResult<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| {
        let said = error.to_string();
        let said = match said.contains(text) {
            true => format!("{option}: {said}"),
            false => format!("{option} is {text:?}: {said}"),
        };
        plain(py, "SettingError", &said)
    })
}

/// How images are decoded.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct DecodeArgs {
    resize: String,
    filter: String,
    exif: String,
    truncated: String,
    check: String,
}

impl DecodeArgs {
    pub(crate) fn options(&self, py: Python<'_>) -> PyResult<DecodeOptions> {
        Ok(DecodeOptions {
            resize: parsed(py, "resize", &self.resize)?,
            filter: parsed(py, "filter", &self.filter)?,
            exif: parsed(py, "exif", &self.exif)?,
            truncated: parsed(py, "truncated", &self.truncated)?,
            check: parsed(py, "check", &self.check)?,
        })
    }
}

/// The options that ingest and write share.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct MakeArgs {
    pub(crate) codec: String,
    pub(crate) quality: Option<u8>,
    pub(crate) size: u32,
    pub(crate) decode: DecodeArgs,
    pub(crate) on_error: String,
    pub(crate) shard_records: usize,
    pub(crate) threads: usize,
    pub(crate) decode_memory: Option<u64>,
}

/// The other options of an ingest.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct IngestArgs {
    layout: Option<String>,
    max_rejects: Option<String>,
    seed: u64,
    val_fraction: f64,
    without: Vec<String>,
    ignore_free_space: bool,
    /// Folder around the one in which shards are made before they are uploaded.
    work: Option<PathBuf>,
}

/// The options of an ingest.
pub(crate) fn options(
    py: Python<'_>,
    source: PathBuf,
    out: PathBuf,
    make: &MakeArgs,
    args: &IngestArgs,
) -> PyResult<IngestOptions> {
    let mut options = IngestOptions::new(source, out);
    options.work.clone_from(&args.work);
    options.codec = parsed(py, "codec", &make.codec)?;
    options.quality = make.quality.unwrap_or(options.quality);
    options.size = make.size;
    options.decode = make.decode.options(py)?;
    options.on_error = parsed(py, "on_error", &make.on_error)?;
    options.shard_records = make.shard_records;
    options.threads = make.threads;
    options.decode_memory = make.decode_memory;
    let layout = args.layout.as_deref();
    options.layout = layout
        .map(|layout| parsed(py, "layout", layout))
        .transpose()?;
    let limit = args.max_rejects.as_deref();
    options.max_rejects = limit
        .map(|limit| parsed(py, "max_rejects", limit))
        .transpose()?;
    options.seed = args.seed;
    options.val_fraction = args.val_fraction;
    options.ignore_free_space = args.ignore_free_space;
    for name in ["train", "val", "test"] {
        if args.without.iter().any(|without| without == name) {
            options.without.push(name);
        }
    }
    Ok(options)
}

/// Makes a dataset from image files; returns the summary as JSON.
#[pyfunction]
#[pyo3(signature = (source, out, make, args, progress))]
fn ingest(
    py: Python<'_>,
    source: PathBuf,
    out: PathBuf,
    make: MakeArgs,
    args: IngestArgs,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<String> {
    let mut options = options(py, source, out, &make, &args)?;
    observed(py, progress.as_ref(), move |observer| {
        options.observer = observer;
        shardmill_prep::ingest(&options).map(|summary| summary.to_json())
    })
}

/// Rereads every record; returns the result as JSON.
#[pyfunction]
fn verify(
    py: Python<'_>,
    path: PathBuf,
    threads: usize,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<String> {
    observed(py, progress.as_ref(), move |observer| {
        let result = shardmill_prep::dataset::verify_observed(&path, threads, false, &observer)?;
        Ok(result.to_json())
    })
}

/// Describes a dataset, as JSON and as text.
#[pyfunction]
fn inspect(py: Python<'_>, path: PathBuf) -> PyResult<(String, String)> {
    observed(py, None, move |_| {
        let found = shardmill_prep::dataset::inspect(&path)?;
        Ok((found.to_json(), found.to_string()))
    })
}

/// Images of a split with their classes: the bytes of a JPEG.
#[pyfunction]
fn contact_sheet(
    py: Python<'_>,
    path: PathBuf,
    split: String,
    records: u32,
) -> PyResult<Bound<'_, PyBytes>> {
    let sheet = observed(py, None, move |_| {
        shardmill_prep::dataset::contact_sheet(&path, Some(&split), records)
    })?;
    Ok(PyBytes::new(py, &sheet))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ingest, module)?)?;
    module.add_function(wrap_pyfunction!(verify, module)?)?;
    module.add_function(wrap_pyfunction!(inspect, module)?)?;
    module.add_function(wrap_pyfunction!(contact_sheet, module)?)?;
    Ok(())
}
