//! Memory that records are stored in.

use std::sync::{Arc, Mutex, PoisonError};

/// Memory of records that are written, for others to come: new memory costs as much as copying.
#[derive(Clone, Default)]
pub(crate) struct RecycledBuffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl RecycledBuffers {
    pub(super) fn take(&self) -> Vec<u8> {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_default()
    }

    /// Gives a record's memory back.
    pub(crate) fn give(&self, stored: Vec<u8>) {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.push(stored);
    }
}
