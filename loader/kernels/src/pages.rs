//! The memory of a batch's values: whole pages straight from the system, so that every image of a
//! usual size begins on a vector's bound and nothing is cleared but by the system, once.

use std::io;

use bytemuck::Pod;
use memmap2::MmapMut;

/// Bytes that begin on a page's bound. Empty until the first [`resize`](Self::resize).
#[derive(Default)]
pub struct Pages {
    map: Option<MmapMut>,
    bytes: usize,
}

impl Pages {
    /// Makes room for `bytes` bytes. Memory is taken only when there is less than that; what it holds
    /// afterwards is of no meaning.
    ///
    /// # Errors
    /// The system gives no memory.
    pub fn resize(&mut self, bytes: usize) -> io::Result<()> {
        if self.map.as_ref().map_or(0, |map| map.len()) < bytes {
            let map = MmapMut::map_anon(bytes)?;
            // Fewer pages to look up; a system that gives none is slower and nothing else.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            self.map = Some(map);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The memory as values. Every pattern of bits is a value of such a type.
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
