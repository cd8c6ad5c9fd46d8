//! The records of a split: read, compared with their checksums, requested ahead, and dropped.

use std::ops::Range;
use std::sync::atomic::Ordering;

use shardmill_formats::{Decoder, ShardError, crc32c};

use super::super::cached::CachedSplit;
use super::super::mmap;
use super::super::reading::{Access, Stored, Verify};
use super::{Dataset, Location};
use crate::error::LoaderError;

impl Dataset {
    /// The stored bytes of sample `i`, compared with their checksum when they are first read. From an object
    /// store they are fetched by themselves.
    ///
    /// # Errors
    /// A checksum that differs; the error names shard, record and key. An object store that cannot be read.
    pub fn stored(&self, i: u64) -> Result<Stored<'_>, LoaderError> {
        self.stored_with(i, Verify::FirstRead, Access::Direct)
    }

    pub(crate) fn stored_with(
        &self,
        i: u64,
        verify: Verify,
        access: Access<'_>,
    ) -> Result<Stored<'_>, LoaderError> {
        let place = self.locate(i);
        if let Some(map) = place.shard.mapped() {
            self.verify(&place, map, verify)?;
            return Ok(Stored::borrowed(
                place.shard.index.record(map, place.record),
            ));
        }
        let (cached, stop) = match (access, &self.inner.remote) {
            (Access::Cached(cached, stop), _) => (cached, stop),
            (Access::Direct, Some((remote, _))) => {
                return Ok(Stored::owned(
                    remote.read_record(place.shard, place.record)?,
                ));
            }
            (Access::Direct, None) => unreachable!("shards of a folder are mapped"),
        };
        let mut map = cached.map(place.number, stop)?;
        if self.verify(&place, &map, verify).is_err() {
            // The disk may have damaged what arrived whole.
            map = cached.map_again(place.number, stop)?;
            self.verify(&place, &map, verify)?;
        }
        let range = place.shard.range(place.record);
        Ok(Stored::shared(map, range))
    }

    /// Compares a record with its checksum, unless that has been done or is not wanted.
    fn verify(&self, place: &Location<'_>, map: &[u8], verify: Verify) -> Result<(), LoaderError> {
        let (word, bit) = (
            &self.inner.verified[(place.origin / 64) as usize],
            1 << (place.origin % 64),
        );
        // Two threads may both compare a record, which costs time and changes nothing.
        if verify == Verify::FirstRead && word.load(Ordering::Relaxed) & bit == 0 {
            // The index is that of the shard as it was opened: of a map in the cache, nothing is believed yet.
            let Location { shard, record, .. } = *place;
            let (bytes, range) = (shard.bytes(), shard.range(record));
            let (expected, found) = (shard.index.checksum(bytes, record), crc32c(&map[range]));
            if expected != found {
                let key = shard.index.key(bytes, record).to_owned();
                return Err(LoaderError::Shard {
                    shard: shard.name.clone(),
                    source: ShardError::Checksum {
                        record,
                        key,
                        expected,
                        found,
                    },
                });
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Decodes sample `i` into `rgb`: `height * width * 3` bytes, rows of R, G, B.
    ///
    /// # Errors
    /// A record that is damaged; the error names shard, record and key.
    pub fn read(&self, i: u64, rgb: &mut [u8]) -> Result<(), LoaderError> {
        let stored = self.stored(i)?;
        let mut decoder = Decoder::new(self.codec(), self.shape());
        let decoded = decoder.decode(&stored, rgb);
        decoded.map_err(|source| self.bad_record(i, source))
    }

    /// Asks the system to read `len` samples from `first` on, contiguous ones in one piece. Of shards that
    /// come through a cache, those that are mapped are read.
    pub(crate) fn will_need(&self, first: u64, len: u64, cached: Option<&CachedSplit>) {
        let mut pending: Option<(u32, Range<usize>)> = None;
        for i in first..first + len {
            let place = self.locate(i);
            let range = place.shard.range(place.record);
            match &mut pending {
                Some((shard, run)) if *shard == place.number && run.end == range.start => {
                    run.end = range.end;
                }
                _ => {
                    if let Some((shard, run)) = pending.replace((place.number, range)) {
                        self.read_ahead(shard, run, cached);
                    }
                }
            }
        }
        if let Some((shard, run)) = pending {
            self.read_ahead(shard, run, cached);
        }
    }

    fn read_ahead(&self, shard: u32, run: Range<usize>, cached: Option<&CachedSplit>) {
        // If the system refuses, the record is read when it is needed.
        if let Some(map) = self.inner.shards[shard as usize].mapped() {
            let _ = mmap::will_need(map, run);
        } else if let Some(map) = cached.and_then(|cached| cached.mapped(shard)) {
            let _ = mmap::will_need(&map, run);
        }
    }

    /// Drops a record from memory: in an epoch, what was read is needed again later than everything
    /// that was not.
    pub(crate) fn release(&self, i: u64) {
        let place = self.locate(i);
        let _ = place.shard.release(place.shard.range(place.record));
    }
}
