//! Making, verifying and describing datasets.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use numpy::{PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shardmill_formats::Causes;
use shardmill_prep::{
    DatasetWriter, DecodeOptions, Image, IngestOptions, Observe, Observer, PrepError, Sample,
    WriteOptions, class_list,
};

use crate::errors::{from_panic, plain};

/// Time between two looks at Ctrl-C and two calls of the progress function.
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn from_prep(py: Python<'_>, error: &PrepError) -> PyErr {
    let name = match error {
        PrepError::Stopped => "StoppedError",
        // Python's users know no flags.
        PrepError::Option {
            option,
            found,
            expected,
        } => {
            let option = option.replace('-', "_");
            return plain(
                py,
                "SettingError",
                &format!("{option} is {found}: {expected}"),
            );
        }
        _ => "PrepareError",
    };
    plain(py, name, &arguments(&Causes(error).to_string()))
}

/// A text in which the flags of the program are named as arguments: `--shard-records` as `shard_records`.
fn arguments(text: &str) -> String {
    let word = |word: &str| -> String {
        let at = word.find("--").filter(|at| {
            let before = word[..*at].chars().next_back();
            before.is_none_or(|c| matches!(c, '(' | '"' | '`' | '\''))
        });
        match at.map(|at| word.split_at(at)) {
            Some((before, flag)) if flag[2..].starts_with(|c: char| c.is_ascii_lowercase()) => {
                format!("{before}{}", flag[2..].replace('-', "_"))
            }
            _ => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What long work says of itself, and whether it is to stop.
#[derive(Default)]
struct Watch {
    /// Work, done, total: of the latest kind of work the most that was done.
    latest: Mutex<Option<(&'static str, u64, Option<u64>)>>,
    is_cancelled: AtomicBool,
}

impl Observe for Watch {
    fn progress(&self, work: &'static str, done: u64, total: Option<u64>) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *latest {
            Some((same, before, _)) if *same == work && *before > done => {}
            other => *other = Some((work, done, total)),
        }
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

/// Does long work on a thread of its own. Meanwhile this thread looks at Ctrl-C and calls `progress(work,
/// done, total)`; an exception of either stops the work, which is waited for, and is raised.
fn observed<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(Observer) -> Result<T, PrepError> + Send + 'static,
) -> PyResult<T> {
    let watch = Arc::new(Watch::default());
    let observer = Observer::new(Arc::clone(&watch));
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("prepare".to_owned());
    let thread = thread.spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(|| work(observer)));
        // Whoever waits is there until this comes.
        let _ = sender.send(done);
    });
    let thread = thread.map_err(|error| plain(py, "PrepareError", &error.to_string()))?;
    let mut raised = None;
    let mut receiver = Some(receiver);
    let done: Result<_, Box<dyn Any + Send>> = loop {
        let taken = receiver.take();
        // A receiver is no `Sync`, so it goes into the closure and comes back.
        let (back, next) = py.detach(move || {
            let next = taken.as_ref().map(|taken| taken.recv_timeout(LOOK_EVERY));
            (taken, next)
        });
        receiver = back;
        match next {
            Some(Ok(done)) => break done,
            Some(Err(RecvTimeoutError::Timeout)) => {}
            Some(Err(RecvTimeoutError::Disconnected)) | None => {
                break Err(Box::new("the thread ended without a word"));
            }
        }
        if raised.is_some() {
            continue;
        }
        if let Err(error) = py.check_signals().and_then(|()| tell(progress, &watch)) {
            watch.is_cancelled.store(true, Ordering::Relaxed);
            raised = Some(error);
        }
    };
    // It has sent its last.
    let _ = py.detach(|| thread.join());
    if let Some(error) = raised {
        return Err(error);
    }
    match done {
        Ok(Ok(value)) => {
            tell(progress, &watch)?;
            Ok(value)
        }
        Ok(Err(error)) => Err(from_prep(py, &error)),
        Err(panic) => Err(from_panic(py, panic.as_ref())),
    }
}

fn tell(progress: Option<&Bound<'_, PyAny>>, watch: &Watch) -> PyResult<()> {
    let latest = *watch.latest.lock().unwrap_or_else(PoisonError::into_inner);
    if let (Some(progress), Some(latest)) = (progress, latest) {
        progress.call1(latest)?;
    }
    Ok(())
}

/// The value of an option that has names.
fn parsed<T: FromStr>(py: Python<'_>, option: &str, text: &str) -> PyResult<T>
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
struct DecodeArgs {
    resize: String,
    filter: String,
    exif: String,
    truncated: String,
    check: String,
}

impl DecodeArgs {
    fn options(&self, py: Python<'_>) -> PyResult<DecodeOptions> {
        Ok(DecodeOptions {
            resize: parsed(py, "resize", &self.resize)?,
            filter: parsed(py, "filter", &self.filter)?,
            exif: parsed(py, "exif", &self.exif)?,
            truncated: parsed(py, "truncated", &self.truncated)?,
            check: parsed(py, "check", &self.check)?,
        })
    }
}

/// What every dataset that is made has in common.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct MakeArgs {
    codec: String,
    quality: Option<u8>,
    size: u32,
    decode: DecodeArgs,
    on_error: String,
    shard_records: usize,
    threads: usize,
    decode_memory: Option<u64>,
}

/// The rest of an ingest.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct IngestArgs {
    layout: Option<String>,
    max_rejects: Option<String>,
    seed: u64,
    val_fraction: f64,
    without: Vec<String>,
    ignore_free_space: bool,
}

/// Makes a dataset of image files; the summary as JSON.
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
    let mut options = IngestOptions::new(source, out);
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
    observed(py, progress.as_ref(), move |observer| {
        options.observer = observer;
        shardmill_prep::ingest(&options).map(|summary| summary.to_json())
    })
}

/// Rereads every record; the result as JSON.
#[pyfunction]
fn verify(
    py: Python<'_>,
    path: PathBuf,
    threads: usize,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<String> {
    observed(py, progress.as_ref(), move |observer| {
        let result = shardmill_prep::verify_observed(&path, threads, false, &observer)?;
        Ok(result.to_json())
    })
}

/// What a dataset consists of, as JSON and for a person.
#[pyfunction]
fn inspect(py: Python<'_>, path: PathBuf) -> PyResult<(String, String)> {
    observed(py, None, move |_| {
        let found = shardmill_prep::inspect(&path)?;
        Ok((found.to_json(), found.to_string()))
    })
}

/// Pictures of a split with their classes: the bytes of a JPEG.
#[pyfunction]
fn contact_sheet(
    py: Python<'_>,
    path: PathBuf,
    split: String,
    records: u32,
) -> PyResult<Bound<'_, PyBytes>> {
    let sheet = observed(py, None, move |_| {
        shardmill_prep::contact_sheet(&path, Some(&split), records)
    })?;
    Ok(PyBytes::new(py, &sheet))
}

/// Builds a dataset sample by sample.
#[pyclass(frozen, module = "shardmill._core")]
struct Writer {
    /// `None` once it was finished or dropped.
    inner: Mutex<Option<DatasetWriter>>,
    /// A forked child has neither the threads nor the right to take the files away.
    process: u32,
}

impl Writer {
    /// Works on the writer without the GIL.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Option<DatasetWriter>) -> Result<T, PrepError> + Send,
    ) -> PyResult<T> {
        if self.process != std::process::id() {
            let text =
                "this process was forked while the dataset was written: write it in one process";
            return Err(plain(py, "ForkedError", text));
        }
        let done = py.detach(|| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            catch_unwind(AssertUnwindSafe(|| work(&mut inner)))
        });
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(from_prep(py, &error)),
            Err(panic) => Err(from_panic(py, panic.as_ref())),
        }
    }

    fn push(
        &self,
        py: Python<'_>,
        split: &str,
        image: Image,
        label: i64,
        key: Option<String>,
    ) -> PyResult<()> {
        let sample = Sample { image, label, key };
        self.with(py, |writer| match writer {
            Some(writer) => writer.push(split, sample),
            None => Err(PrepError::WriterStopped),
        })
    }
}

#[pymethods]
impl Writer {
    #[new]
    fn new(py: Python<'_>, out: PathBuf, classes: Vec<String>, make: MakeArgs) -> PyResult<Self> {
        let classes = class_list(&classes).map_err(|error| from_prep(py, &error))?;
        let mut options = WriteOptions::new(classes);
        options.codec = parsed(py, "codec", &make.codec)?;
        options.quality = make.quality.unwrap_or(options.quality);
        options.size = make.size;
        options.decode = make.decode.options(py)?;
        options.on_error = parsed(py, "on_error", &make.on_error)?;
        options.shard_records = make.shard_records;
        options.threads = make.threads;
        options.decode_memory = make.decode_memory;
        let writer = DatasetWriter::create(out, options).map_err(|error| from_prep(py, &error))?;
        Ok(Self {
            inner: Mutex::new(Some(writer)),
            process: std::process::id(),
        })
    }

    /// A sample that is an image file.
    #[pyo3(signature = (split, image, label, key))]
    fn push_encoded(
        &self,
        py: Python<'_>,
        split: &str,
        image: &[u8],
        label: i64,
        key: Option<String>,
    ) -> PyResult<()> {
        self.push(py, split, Image::Encoded(image.to_vec()), label, key)
    }

    /// A sample that is pixels: `[height, width]` or `[height, width, channels]`.
    #[pyo3(signature = (split, image, label, key))]
    fn push_pixels(
        &self,
        py: Python<'_>,
        split: &str,
        image: &Bound<'_, PyArrayDyn<u8>>,
        label: i64,
        key: Option<String>,
    ) -> PyResult<()> {
        let axis = |at: usize| u32::try_from(*image.shape().get(at).unwrap_or(&1)).ok();
        let (height, width, channels) = (axis(0), axis(1), axis(2));
        let channels = channels.and_then(|channels| u8::try_from(channels).ok());
        let (Some(height), Some(width), Some(channels @ 1..=4), 2..=3) =
            (height, width, channels, image.ndim())
        else {
            let text = format!(
                "an image of shape {:?}; give uint8 of [height, width] or [height, width, channels] with 1 to 4 channels",
                image.shape()
            );
            return Err(plain(py, "SettingError", &text));
        };
        let image = image.readonly();
        let image = image.as_array();
        let image = Image::Pixels {
            width,
            height,
            channels,
            pixels: image.iter().copied().collect(),
        };
        self.push(py, split, image, label, key)
    }

    /// Writes the manifest; the summary as JSON.
    fn finish(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |writer| match writer.take() {
            Some(writer) => writer.finish().map(|summary| summary.to_json()),
            None => Err(PrepError::WriterStopped),
        })
    }

    /// Takes away what was written; nothing in a forked child.
    fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        if self.process != std::process::id() {
            return Ok(());
        }
        self.with(py, |writer| {
            drop(writer.take());
            Ok(())
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = inner.take() else {
            return;
        };
        if self.process == std::process::id() {
            drop(writer);
        } else {
            std::mem::forget(writer);
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Writer>()?;
    module.add_function(wrap_pyfunction!(ingest, module)?)?;
    module.add_function(wrap_pyfunction!(verify, module)?)?;
    module.add_function(wrap_pyfunction!(inspect, module)?)?;
    module.add_function(wrap_pyfunction!(contact_sheet, module)?)?;
    Ok(())
}
