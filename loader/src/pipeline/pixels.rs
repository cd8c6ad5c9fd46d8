//! The memory of a batch's values: whole pages straight from the system, so that every image of a
//! usual size begins on a vector's bound and nothing is cleared but by the system, once.

use std::io;

use bytemuck::Pod;
use memmap2::MmapMut;

/// Bytes that begin on a page's bound. Empty until the first [`resize`](Self::resize).
#[derive(Default)]
pub(crate) struct Pixels {
    map: Option<MmapMut>,
    bytes: usize,
}

impl Pixels {
    /// Makes room for `bytes` bytes. Memory is taken only when there is less than that; what it holds
    /// afterwards is of no meaning.
    pub(crate) fn resize(&mut self, bytes: usize) -> io::Result<()> {
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
    pub(crate) fn values<T: Pod>(&self) -> &[T] {
        self.map
            .as_ref()
            .map_or(&[], |map| bytemuck::cast_slice(&map[..self.bytes]))
    }

    /// [`values`](Self::values) to write to.
    pub(crate) fn values_mut<T: Pod>(&mut self) -> &mut [T] {
        self.map.as_mut().map_or(&mut [], |map| {
            bytemuck::cast_slice_mut(&mut map[..self.bytes])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_while_it_is_enough() {
        let mut pixels = Pixels::default();
        assert!(pixels.values::<f32>().is_empty());
        pixels.resize(4096).unwrap();
        let place = pixels.values::<u8>().as_ptr();
        assert!(place.addr().is_multiple_of(4096));
        pixels.values_mut::<f32>().fill(2.0);
        pixels.resize(16).unwrap();
        assert_eq!(pixels.values::<f32>(), [2.0; 4]);
        assert_eq!(pixels.values::<u8>().as_ptr(), place);
        pixels.resize(8192).unwrap();
        assert_eq!(pixels.values::<u8>().len(), 8192);
    }
}
