//! Writes the features of a split to a file, batch by batch.
//!
//! While the file is written it is called `OUT.partial`, and where a safetensors file has the length of its header
//! it has the number of rows that are safely on the disk: nothing mistakes it for a whole file, and the next
//! call goes on after those rows. In the end it gets the length, is synced, and gets its name.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shardmill_formats::{ShardEntry, crc32c};

use crate::analysis::feature_file::layout::Layout;
use crate::analysis::feature_file::{Description, ShardId};
use crate::analysis::{AnalysisError, layers};
use crate::net::Model;
use crate::run::pass::{Pass, Verdict};
use crate::run::subject::Examined;
use crate::run::{Stop, Subject, View};

/// Time between two syncs: what is computed meanwhile may be lost.
const SYNC_EVERY: Duration = Duration::from_secs(10);

/// Which features are written, and where to.
#[derive(Clone, Debug)]
pub struct FeatureOptions {
    /// The network and the images.
    pub subject: Subject,
    /// The layer.
    pub layer: String,
    /// The file.
    pub out: PathBuf,
    /// Whether to replace the file, and to begin again where an unfinished one cannot be gone on with.
    pub force: bool,
    /// Asks, from another thread, for an early end; the next call goes on.
    pub stop: Stop,
}

impl FeatureOptions {
    /// The features after fc7.
    #[must_use]
    pub fn new(subject: Subject, out: impl Into<PathBuf>) -> Self {
        Self {
            subject,
            layer: "fc7".to_owned(),
            out: out.into(),
            force: false,
            stop: Stop::default(),
        }
    }
}

/// What is going to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeaturePlan {
    /// Images.
    pub images: u64,
    /// Features of an image.
    pub len: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Images whose features an earlier call has written.
    pub done: u64,
    /// Which network and which images.
    pub description: Description,
}

/// Writes a layer's outputs for the images of a split, from the centre view.
///
/// ```no_run
/// use shardmill_trainer::Subject;
/// use shardmill_trainer::analysis::{FeatureOptions, FeatureWriter};
///
/// let subject = Subject::new("run/best.safetensors", "shards", "val");
/// let writer = FeatureWriter::open(&FeatureOptions::new(subject, "val.safetensors"))?;
/// println!("{} bytes", writer.plan().bytes);
/// let finished = writer.run(|done, of| println!("{done} of {of}"))?;
/// # Ok::<(), shardmill_trainer::analysis::AnalysisError>(())
/// ```
pub struct FeatureWriter {
    examined: Examined,
    /// The layer's number.
    layer: usize,
    file: PartialFile,
    plan: FeaturePlan,
    out: PathBuf,
    stop: Stop,
}

impl FeatureWriter {
    /// Opens network and images, and makes the unfinished file or goes on with it.
    ///
    /// # Errors
    /// A checkpoint or dataset that cannot be read, or that do not belong together; a layer that the network does
    /// not have; a file that is there already, or that does not fit on the disk.
    pub fn open(options: &FeatureOptions) -> Result<Self, AnalysisError> {
        if options.out.exists() && !options.force {
            return Err(AnalysisError::Exists {
                path: options.out.clone(),
            });
        }
        let examined = Examined::open(&options.subject)?;
        let layer = layers::number(examined.engine.model().layers(), &options.layer)?;
        let description = describe(&examined, layer);
        let layout = Layout::new(&examined.dataset, &description);
        let batch = examined.batch_images(View::Center) as u64;
        let file = PartialFile::open(options, layout, batch)?;
        let layout = &file.layout;
        Ok(Self {
            plan: FeaturePlan {
                images: layout.rows,
                len: layout.row_bytes / 4,
                bytes: layout.bytes(),
                done: file.done,
                description,
            },
            examined,
            layer,
            file,
            out: options.out.clone(),
            stop: options.stop.clone(),
        })
    }

    /// What is going to be written.
    #[must_use]
    pub fn plan(&self) -> &FeaturePlan {
        &self.plan
    }

    /// Computes and writes what is missing. `progress` is called with the number of images done and that of all.
    /// The result is whether the file is finished: not after a request to stop, and then a writer with the
    /// same options goes on.
    ///
    /// # Errors
    /// What engine, loader and disk report; then too a writer with the same options goes on.
    pub fn run(mut self, mut progress: impl FnMut(u64, u64)) -> Result<bool, AnalysisError> {
        let loader = self.examined.loader(View::Center)?;
        let Examined { state, engine, .. } = &mut self.examined;
        let pass = Pass {
            layers: &[self.layer],
            skip: self.plan.done,
            ..Pass::new(View::Center)
        };
        // Both closures write: the rows of a batch, then what makes them safe.
        let file = RefCell::new(self.file);
        let mut row = Vec::new();
        let each = |verdict: Verdict| {
            row.clear();
            row.extend(verdict.activations[0].iter().flat_map(|v| v.to_le_bytes()));
            file.borrow_mut().append(&row)
        };
        let mut saved = Ok(());
        let images = self.plan.images;
        let finished = pass.run(&mut **engine, state, &loader, each, |done| {
            progress(done, images);
            let stop = self.stop.is_requested() && done < images;
            saved = file.borrow_mut().batch_done(done, stop);
            saved.is_ok() && !stop
        });
        let finished = finished.and_then(|finished| saved.map(|()| finished));
        let finished = finished.inspect_err(|_| file.borrow().discard_if_empty())?;
        if finished {
            file.into_inner().finish(&self.out)?;
        }
        Ok(finished)
    }
}

/// What the metadata of a file says.
fn describe(examined: &Examined, layer: usize) -> Description {
    let Examined {
        dataset,
        state,
        engine,
        ..
    } = examined;
    let layer = &engine.model().layers()[layer];
    let shards = &dataset.manifest().splits[dataset.split()].shards;
    let shard = |shard: &ShardEntry| ShardId {
        file: shard.file.clone(),
        records: shard.records,
        blake3: shard.blake3.clone(),
    };
    Description {
        layer: layer.name().to_owned(),
        shape: layers::shape(layer),
        split: dataset.split().to_owned(),
        epoch: state.progress.epoch,
        step: state.progress.step,
        weights: weights_checksum(engine.model()),
        classes: dataset.classes().to_vec(),
        shards: shards.iter().map(shard).collect(),
    }
}

/// CRC-32C over the CRC-32C of each parameter's values, in their order.
fn weights_checksum(model: &Model) -> String {
    let parts = model.parameters().iter().flat_map(|parameter| {
        let values = parameter.values();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        crc32c(&bytes).to_le_bytes()
    });
    format!("{:08x}", crc32c(&parts.collect::<Vec<u8>>()))
}

/// A file that is being written.
struct PartialFile {
    path: PathBuf,
    out: BufWriter<File>,
    layout: Layout,
    /// Rows that are safely on the disk.
    done: u64,
    synced: Instant,
}

impl PartialFile {
    /// Goes on with an unfinished file, or makes one. The pass has batches of `batch` images.
    fn open(options: &FeatureOptions, layout: Layout, batch: u64) -> Result<Self, AnalysisError> {
        let path = beside(&options.out);
        let failed = AnalysisError::io("write", &path);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path);
        let mut file = file.map_err(&failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(AnalysisError::Busy { path }),
            // A file system without locks serves too.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let length = file.metadata().map_err(&failed)?.len();
        let found = match length {
            0 => None,
            _ => rows_done(&mut file, &layout).map_err(&failed)?,
        };
        if found.is_none() && length > 0 && !options.force {
            return Err(AnalysisError::Unfinished { path });
        }
        // At the edge of a batch, so that the batches, and with them the last bits of the features, are those
        // of an undisturbed pass.
        let done = found.map_or(0, |rows| match rows == layout.rows {
            true => rows,
            false => rows / batch * batch,
        });
        let end = layout.features_start() + done * layout.row_bytes;
        let kept = if found.is_some() { end } else { 0 };
        file.set_len(kept).map_err(&failed)?;
        check_space(&path, layout.bytes() - kept).inspect_err(|_| {
            if kept == 0 {
                // The first error is the one to report; the empty file is ours.
                let _ = fs::remove_file(&path);
            }
        })?;
        let mut out = BufWriter::new(file);
        out.seek(SeekFrom::Start(kept)).map_err(&failed)?;
        if found.is_none() {
            out.write_all(&done.to_le_bytes())
                .and_then(|()| out.write_all(&layout.front))
                .map_err(&failed)?;
        }
        Ok(Self {
            path,
            out,
            layout,
            done,
            synced: Instant::now(),
        })
    }

    fn append(&mut self, row: &[u8]) -> Result<(), AnalysisError> {
        let written = self.out.write_all(row);
        written.map_err(AnalysisError::io("write", &self.path))
    }

    /// After a batch, with which `done` rows are appended: makes them safe if that was long ago, or `now`.
    fn batch_done(&mut self, done: u64, now: bool) -> Result<(), AnalysisError> {
        if !now && self.synced.elapsed() < SYNC_EVERY {
            return Ok(());
        }
        self.sync(done)
            .map_err(AnalysisError::io("write", &self.path))
    }

    /// The rows reach the disk before their number does.
    fn sync(&mut self, done: u64) -> io::Result<()> {
        self.out.flush()?;
        let file = self.out.get_mut();
        file.sync_data()?;
        set_first(file, done)?;
        (self.done, self.synced) = (done, Instant::now());
        Ok(())
    }

    /// Removes a file that holds nothing to go on from. The error that led here is the one to report.
    fn discard_if_empty(&self) {
        if self.done == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Makes the file whole and gives it its name.
    fn finish(mut self, path: &Path) -> Result<(), AnalysisError> {
        let header_len = self.layout.header_len;
        let finished = self.sync(self.layout.rows).and_then(|()| {
            let file = self.out.get_mut();
            set_first(file, header_len)?;
            file.sync_all()?;
            fs::rename(&self.path, path)?;
            sync_folder(path)
        });
        finished.map_err(AnalysisError::io("write", path))
    }
}

/// The number of rows of an unfinished file that are safely there; `None` if it is not one of these features.
fn rows_done(file: &mut File, layout: &Layout) -> io::Result<Option<u64>> {
    let mut first = [0; size_of::<u64>()];
    let mut front = Vec::new();
    let length = file.metadata()?.len();
    if length < layout.features_start() {
        return Ok(None);
    }
    file.read_exact(&mut first)?;
    file.take(layout.front.len() as u64)
        .read_to_end(&mut front)?;
    let rows = u64::from_le_bytes(first);
    let room = (length - layout.features_start()) / layout.row_bytes;
    // A file that was made whole and not renamed has more rows than that.
    let rows = match rows == layout.header_len {
        true => rows.min(layout.rows),
        false => rows,
    };
    Ok((front == layout.front && rows <= room).then_some(rows))
}

/// Writes the first eight bytes, and leaves the place at the end.
fn set_first(file: &mut File, value: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&value.to_le_bytes())?;
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

fn check_space(path: &Path, needed: u64) -> Result<(), AnalysisError> {
    let available =
        fs4::available_space(folder(path)).map_err(AnalysisError::io("look at", path))?;
    if needed <= available {
        return Ok(());
    }
    Err(AnalysisError::Space {
        path: path.into(),
        needed,
        available,
    })
}

/// The name under which a file is made before it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Syncs the folder where the system allows it, so that the new name survives too.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder(path))?.sync_all()?;
    }
    Ok(())
}
