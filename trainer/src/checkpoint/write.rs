//! Writes a checkpoint beside its final name, syncs it, and renames it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde_json::json;

use crate::checkpoint::{Checkpoint, CheckpointError, Checksum, META_CHECKSUM, RunState};

impl Checkpoint {
    /// Writes the checkpoint to `path`, which never holds an incomplete one.
    ///
    /// The stock writer of safetensors does not sync before it renames and orders the metadata at
    /// random, so the few lines of header are written here.
    ///
    /// # Errors
    /// Whatever the file system refuses; then nothing is left beside `path` either.
    pub fn write(
        path: &Path,
        state: &RunState,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<(), CheckpointError> {
        write_whole(path, state.to_strings(), tensors)
    }

    /// Gives the file `from` the further name `to`, replacing what was there at once.
    ///
    /// A checkpoint is never changed in place, so both names may share one copy of the bytes.
    ///
    /// # Errors
    /// Whatever the file system refuses.
    pub fn link(from: &Path, to: &Path) -> Result<(), CheckpointError> {
        let partial = beside(to);
        let linked = match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::hard_link(from, &partial).or_else(|_| fs::copy(from, &partial).map(|_| ())),
        };
        let put = linked.and_then(|()| put(&partial, to));
        // Renaming one name of a file to another name of the same file does nothing.
        let _ = fs::remove_file(&partial);
        put.map_err(|source| CheckpointError::Io {
            action: "write",
            path: to.into(),
            source,
        })
    }
}

/// Writes tensors, the strings of their metadata and a checksum over both to `path`, which never holds an
/// incomplete file.
pub(super) fn write_whole(
    path: &Path,
    strings: BTreeMap<String, String>,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<(), CheckpointError> {
    let partial = beside(path);
    let io_error = |source| CheckpointError::Io {
        action: "write",
        path: path.into(),
        source,
    };
    let written = File::create(&partial).map_err(io_error).and_then(|file| {
        write_tensors(BufWriter::new(file), strings, tensors, io_error)?
            .sync_all()
            .map_err(io_error)
    });
    written
        .and_then(|()| put(&partial, path).map_err(io_error))
        .inspect_err(|_| {
            // The first error is the one to report.
            let _ = fs::remove_file(&partial);
        })
}

fn write_tensors(
    mut out: BufWriter<File>,
    mut strings: BTreeMap<String, String>,
    tensors: &BTreeMap<String, Tensor>,
    io_error: impl Fn(io::Error) -> CheckpointError,
) -> Result<File, CheckpointError> {
    let mut checksum = Checksum::default();
    for (key, value) in &strings {
        checksum.add(key.as_bytes());
        checksum.add(value.as_bytes());
    }
    // The checksum always has eight digits, so it can be filled in at the end.
    strings.insert(META_CHECKSUM.to_owned(), Checksum::default().hex());
    out.write_all(&front(&strings, tensors))
        .map_err(&io_error)?;
    for (name, tensor) in tensors {
        let values = tensor
            .flatten_all()
            .and_then(|flat| flat.to_vec1::<f32>())
            .map_err(|source| CheckpointError::Tensor {
                name: name.clone(),
                source,
            })?;
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        checksum.add(name.as_bytes());
        checksum.add(&bytes);
        out.write_all(&bytes).map_err(&io_error)?;
    }
    strings.insert(META_CHECKSUM.to_owned(), checksum.hex());
    out.seek(SeekFrom::Start(0)).map_err(&io_error)?;
    out.write_all(&front(&strings, tensors))
        .map_err(&io_error)?;
    out.into_inner()
        .map_err(|error| io_error(error.into_error()))
}

/// The header's length and the header, padded to a multiple of eight bytes.
fn front(strings: &BTreeMap<String, String>, tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), json!(strings));
    let mut end = 0;
    for (name, tensor) in tensors {
        let start = end;
        end += tensor.elem_count() * size_of::<f32>();
        let info = json!({"dtype": "F32", "shape": tensor.dims(), "data_offsets": [start, end]});
        header.insert(name.clone(), info);
    }
    let mut json = serde_json::to_vec(&header).expect("plain data becomes JSON");
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut front = (json.len() as u64).to_le_bytes().to_vec();
    front.append(&mut json);
    front
}

/// The name under which a file is made before it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Renames, and syncs the folder where the system allows it, so that the name survives too.
fn put(partial: &Path, path: &Path) -> io::Result<()> {
    fs::rename(partial, path)?;
    if let Some(folder) = path.parent().filter(|_| cfg!(unix)) {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
