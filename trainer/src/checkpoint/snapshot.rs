//! Snapshots of conv1's kernels, one for each epoch of a run, so that their growth can be shown.
//!
//! A snapshot has the form of a checkpoint, with one tensor: `conv1.weight`, f32, `[outputs, rows, columns,
//! inputs]`. At the full width it has 140 KB.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;

use crate::checkpoint::read::{Whole, read_whole};
use crate::checkpoint::write::write_whole;
use crate::checkpoint::{CheckpointError, META_VERSION, VERSION};

/// The tensor of a snapshot, named as in a checkpoint.
pub(crate) const KERNELS: &str = "conv1.weight";

const FORMAT: &str = "shardmill-kernels";

/// conv1's kernels after an epoch.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Finished epochs; 0 before the first step.
    pub(crate) epoch: u64,
    /// Steps since the run began.
    pub(crate) step: u64,
    /// `[outputs, rows, columns, inputs]`.
    pub(crate) kernels: Tensor,
}

/// A file that is not a whole snapshot.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is not a whole snapshot of conv1's kernels: {reason}; delete it, the others show without it",
    path.display()
)]
pub(crate) struct SnapshotError {
    /// The file.
    pub(crate) path: PathBuf,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// The file of an epoch within a run's folder `kernels`.
pub(crate) fn snapshot_file(epoch: u64) -> String {
    format!("epoch-{epoch:04}.safetensors")
}

/// The epoch of a file of that name; `None` for every other name.
pub(crate) fn epoch_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("epoch-")?.strip_suffix(".safetensors")?;
    let epoch = digits.parse().ok()?;
    (snapshot_file(epoch) == name).then_some(epoch)
}

impl Snapshot {
    /// Writes the snapshot into `folder`, under the name of its epoch, in place of the one that is there.
    ///
    /// # Errors
    /// Whatever the file system refuses; then nothing is left beside it either.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), CheckpointError> {
        let strings = [
            ("format", FORMAT.to_owned()),
            (META_VERSION, VERSION.to_owned()),
            ("epoch", self.epoch.to_string()),
            ("step", self.step.to_string()),
        ];
        let strings = strings.map(|(key, value)| (key.to_owned(), value)).into();
        let tensors = BTreeMap::from([(KERNELS.to_owned(), self.kernels.clone())]);
        write_whole(&folder.join(snapshot_file(self.epoch)), strings, &tensors)
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    /// A file that cannot be read, that is cut off or changed, or that is no snapshot.
    pub(crate) fn read(path: &Path) -> Result<Self, SnapshotError> {
        let error = |reason| SnapshotError {
            path: path.into(),
            reason,
        };
        let Whole {
            strings,
            mut tensors,
        } = read_whole(path).map_err(|cause| error(reason(cause)))?;
        let number = |key: &str| {
            let value = strings.get(key).and_then(|value| value.parse().ok());
            value.ok_or_else(|| error(format!("it has no number {key:?}")))
        };
        if strings.get("format").is_none_or(|format| format != FORMAT) {
            return Err(error(format!("its format is not {FORMAT:?}")));
        }
        let (epoch, step) = (number("epoch")?, number("step")?);
        let kernels = tensors.remove(KERNELS);
        let kernels = kernels.filter(|kernels| kernels.rank() == 4 && tensors.is_empty());
        let kernels = kernels.ok_or_else(|| error(format!("it does not hold {KERNELS} alone")))?;
        Ok(Self {
            epoch,
            step,
            kernels,
        })
    }
}

/// The reason alone: the advice of a checkpoint's error does not fit.
fn reason(error: CheckpointError) -> String {
    match error {
        CheckpointError::Missing { .. } => "there is no such file".to_owned(),
        CheckpointError::Io { source, .. } => source.to_string(),
        CheckpointError::Malformed { reason, .. } => reason,
        CheckpointError::Checksum {
            found, expected, ..
        } => format!("its checksum is {found}; expected {expected}"),
        CheckpointError::Version { found, .. } => {
            format!("it has version {found}; this program reads {VERSION}")
        }
        CheckpointError::Tensor { source, .. } => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use candle_core::{Device, Tensor};

    use super::{Snapshot, epoch_of, snapshot_file};

    #[test]
    fn a_file_name_gives_its_epoch_and_other_names_give_none() {
        for epoch in [0, 7, 9999, 12_345] {
            assert_eq!(epoch_of(&snapshot_file(epoch)), Some(epoch));
        }
        for other in [
            "epoch-1.safetensors",
            "epoch-00001.safetensors",
            "epoch-+001.safetensors",
            "epoch-0001.safetensors.partial",
            "epoch-.safetensors",
            "mine.safetensors",
        ] {
            assert_eq!(epoch_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written_and_every_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..2 * 3 * 3 * 3).map(|at| at as f32 / 7.0).collect();
        let kernels = Tensor::from_vec(values.clone(), (2, 3, 3, 3), &Device::Cpu).unwrap();
        let snapshot = Snapshot {
            epoch: 3,
            step: 40,
            kernels,
        };
        snapshot.write(folder.path()).unwrap();
        let path = folder.path().join("epoch-0003.safetensors");
        let read = Snapshot::read(&path).unwrap();
        assert_eq!((read.epoch, read.step), (3, 40));
        assert_eq!(read.kernels.dims(), [2, 3, 3, 3]);
        let flat = read.kernels.flatten_all().unwrap();
        assert_eq!(flat.to_vec1::<f32>().unwrap(), values);

        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert!(Snapshot::read(&path).is_err(), "byte {at}");
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let error = Snapshot::read(&path).unwrap_err().to_string();
        assert!(error.contains("epoch-0003.safetensors"), "{error}");
    }
}
