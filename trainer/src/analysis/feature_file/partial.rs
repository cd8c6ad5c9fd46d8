//! A file that is being written, and from which an interrupted command goes on.
//!
//! It is called `OUT.partial`, and where a safetensors file has the length of its header it has the number of rows
//! that are safely on the disk: nothing mistakes it for a whole file, and the next command goes on after those
//! rows. In the end it gets the length, is synced, and gets its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::analysis::AnalysisError;
use crate::analysis::feature_file::layout::Layout;

/// Time between two syncs: what is computed meanwhile may be lost.
const SYNC_EVERY: Duration = Duration::from_secs(10);

/// A file that is being written.
pub(super) struct PartialFile {
    path: PathBuf,
    out: BufWriter<File>,
    pub(super) layout: Layout,
    /// Rows that are safely on the disk.
    pub(super) done: u64,
    synced: Instant,
}

impl PartialFile {
    /// Goes on with the unfinished file of `out`, or makes one; `force` replaces one of other features. The pass has
    /// batches of `batch` images.
    pub(super) fn open(
        out: &Path,
        layout: Layout,
        batch: u64,
        force: bool,
    ) -> Result<Self, AnalysisError> {
        let path = beside(out);
        let failed = AnalysisError::io("write", &path);
        // Through a link, another file would be emptied.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(AnalysisError::InTheWay { path });
        }
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
        if found.is_none() && length > 0 && !force {
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

    pub(super) fn append(&mut self, row: &[u8]) -> Result<(), AnalysisError> {
        let written = self.out.write_all(row);
        written.map_err(AnalysisError::io("write", &self.path))
    }

    /// After a batch, with which `done` rows are appended: makes them safe if that was long ago, or `now`.
    pub(super) fn batch_done(&mut self, done: u64, now: bool) -> Result<(), AnalysisError> {
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
    pub(super) fn discard_if_empty(&self) {
        if self.done == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Makes the file whole and gives it its name.
    pub(super) fn finish(mut self, path: &Path) -> Result<(), AnalysisError> {
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
