//! conv1's kernels after every epoch.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use candle_core::Tensor;

use crate::checkpoint::{KERNELS, Snapshot, epoch_of};
use crate::run::error::TrainError;
use crate::run::training::Run;

impl Run<'_> {
    /// Writes conv1's kernels where the run stands at the end of an epoch, or before its first step. A frozen
    /// conv1 has its first snapshot only.
    pub(super) fn keep_kernels(
        &self,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<(), TrainError> {
        let progress = &self.state.progress;
        let is_frozen = !self.state.recipe.trains(KERNELS);
        if !self.options.snapshots || progress.samples > 0 || (is_frozen && progress.epoch > 0) {
            return Ok(());
        }
        let Some(kernels) = tensors.get(KERNELS) else {
            return Ok(());
        };
        let folder = self.files.folder.kernels();
        fs::create_dir_all(&folder).map_err(TrainError::io("make the folder", &folder))?;
        let snapshot = Snapshot {
            epoch: progress.epoch,
            step: progress.step,
            kernels: kernels.clone(),
        };
        Ok(snapshot.write(&folder)?)
    }
}

/// Removes the snapshots of epochs after `epoch`, which a resumed run writes again.
pub(super) fn remove_later(folder: &Path, epoch: u64) -> Result<(), TrainError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(TrainError::io("read the folder", folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(TrainError::io("read the folder", folder))?;
        let name = entry.file_name();
        if name
            .to_str()
            .and_then(epoch_of)
            .is_some_and(|of| of > epoch)
        {
            let path = entry.path();
            fs::remove_file(&path).map_err(TrainError::io("remove", &path))?;
        }
    }
    Ok(())
}
