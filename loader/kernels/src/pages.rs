//! The memory of a batch's values: whole pages from the system, so that every image of a usual size is
//! aligned for vectors, and only the system clears memory, once.

use std::io;

use bytemuck::Pod;
use memmap2::MmapMut;

/// Bytes that begin on a page boundary. Empty until the first [`resize`](Self::resize).
#[derive(Default)]
pub struct Pages {
    map: Option<MmapMut>,
    bytes: usize,
}

impl Pages {
    /// Sets the length to `bytes` bytes. It allocates only if there is less memory than that. The
    /// contents are unspecified afterwards.
    ///
    /// # Errors
    /// The system has no memory for it.
    pub fn resize(&mut self, bytes: usize) -> io::Result<()> {
        if self.map.as_ref().map_or(0, |map| map.len()) < bytes {
            let map = MmapMut::map_anon(bytes)?;
            // Huge pages mean fewer page lookups; without them everything works, more slowly.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            self.map = Some(map);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The memory as values of a type for which every bit pattern is a value.
    ///
    /// # Panics
    /// If the size is not a whole number of values.
    pub fn values<T: Pod>(&self) -> &[T] {
        self.map
            .as_ref()
            .map_or(&[], |map| bytemuck::cast_slice(&map[..self.bytes]))
    }

    /// [`values`](Self::values) to write to.
    ///
    /// # Panics
    /// If the size is not a whole number of values.
    pub fn values_mut<T: Pod>(&mut self) -> &mut [T] {
        self.map.as_mut().map_or(&mut [], |map| {
            bytemuck::cast_slice_mut(&mut map[..self.bytes])
        })
    }
}
