//! conv1's kernels over the epochs of a run.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::checkpoint::{Snapshot, SnapshotError, epoch_of, snapshot_file};
use crate::run::SNAPSHOTS;

/// The snapshots of a run.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// Those that are whole, by epoch.
    pub(crate) whole: Vec<Snapshot>,
    /// Files that are not.
    pub(crate) damaged: Vec<SnapshotError>,
    /// Epochs between the first and the last file that have none, such as after a resume with
    /// `--no-snapshots`.
    pub(crate) missing: Vec<u64>,
}

/// The folder of a run's snapshots cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder {}", path.display())]
pub(crate) struct SnapshotsError {
    path: PathBuf,
    source: io::Error,
}

impl Snapshots {
    /// Reads the snapshots of the run in `run`; none where it keeps none. Files with other names are passed
    /// over. All of a run of 90 epochs take 12.6 MB.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(crate) fn read(run: &Path) -> Result<Self, SnapshotsError> {
        let folder = run.join(SNAPSHOTS);
        let error = |source| SnapshotsError {
            path: folder.clone(),
            source,
        };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(error(cause)),
        };
        let mut epochs = Vec::new();
        for entry in entries {
            let name = entry.map_err(error)?.file_name();
            epochs.extend(name.to_str().and_then(epoch_of));
        }
        epochs.sort_unstable();
        let mut found = Self::default();
        let mut next = epochs.first().copied().unwrap_or_default();
        for epoch in epochs {
            // A name may claim any number.
            found.missing.extend((next..epoch).take(MISSING_LIMIT));
            next = epoch.saturating_add(1);
            let path = folder.join(snapshot_file(epoch));
            match Snapshot::read(&path) {
                Ok(snapshot) if snapshot.epoch == epoch => found.whole.push(snapshot),
                Ok(snapshot) => found.damaged.push(SnapshotError {
                    path,
                    reason: format!("it is of epoch {}", snapshot.epoch),
                }),
                Err(cause) => found.damaged.push(cause),
            }
        }
        Ok(found)
    }
}

/// Most missing epochs of one gap that are named.
const MISSING_LIMIT: usize = 1000;

#[cfg(test)]
mod tests {
    use std::fs;

    use candle_core::{DType, Device, Tensor};

    use super::Snapshots;
    use crate::checkpoint::Snapshot;

    #[test]
    fn whole_damaged_and_missing_snapshots_are_told_apart() {
        let run = tempfile::tempdir().unwrap();
        assert!(Snapshots::read(run.path()).unwrap().whole.is_empty());
        let folder = run.path().join("kernels");
        fs::create_dir(&folder).unwrap();
        for epoch in [0, 1, 2, 5, 6] {
            let snapshot = Snapshot {
                epoch,
                step: 10 * epoch,
                kernels: Tensor::zeros((2, 3, 3, 3), DType::F32, &Device::Cpu).unwrap(),
            };
            snapshot.write(&folder).unwrap();
        }
        let file = |epoch| folder.join(format!("epoch-000{epoch}.safetensors"));
        fs::write(file(1), "half").unwrap();
        fs::copy(file(0), file(2)).unwrap();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        let found = Snapshots::read(run.path()).unwrap();
        let epochs = found.whole.iter().map(|snapshot| snapshot.epoch);
        assert_eq!(epochs.collect::<Vec<_>>(), [0, 5, 6]);
        assert_eq!(found.missing, [3, 4]);
        let damaged = found.damaged.iter().map(ToString::to_string);
        let damaged: Vec<String> = damaged.collect();
        assert_eq!(damaged.len(), 2);
        assert!(damaged[0].contains("epoch-0001"), "{}", damaged[0]);
        assert!(damaged[1].contains("it is of epoch 0"), "{}", damaged[1]);
    }

    #[test]
    fn a_name_with_the_largest_number_is_no_end() {
        let run = tempfile::tempdir().unwrap();
        let folder = run.path().join("kernels");
        fs::create_dir(&folder).unwrap();
        for name in [
            "epoch-0001.safetensors".to_owned(),
            format!("epoch-{}.safetensors", u64::MAX),
        ] {
            fs::write(folder.join(name), "").unwrap();
        }
        let found = Snapshots::read(run.path()).unwrap();
        assert_eq!(found.damaged.len(), 2);
        assert!(!found.missing.is_empty());
    }
}
