//! A file that says so when it ends.
//!
//! The crate that reads Parquet takes memory for a page before it looks whether the file has it, and passes over
//! what it does not know without looking whether it is there: a header that claims two thousand million elements
//! keeps it busy for an hour at the end of the file.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::FOOTER_SIZE;
use parquet::file::reader::{ChunkReader, Length};

use super::headers;

/// A file whose end is an error for whoever reads on.
#[derive(Debug)]
pub(super) struct StrictFile {
    file: File,
    len: u64,
}

impl StrictFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl Length for StrictFile {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for StrictFile {
    type T = BufReader<NeverEmpty>;

    /// Reads on from here, where a page's header stands, or the end of the footer.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = BufReader::new(NeverEmpty(file));
        if start.saturating_add(FOOTER_SIZE as u64) != self.len {
            headers::page(&mut bytes)?;
            bytes.seek(SeekFrom::Start(start))?;
        }
        Ok(bytes)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.len) {
            let found = self.len.saturating_sub(start);
            let message = format!("expected {length} bytes at {start}, and there are {found}");
            return Err(ParquetError::EOF(message));
        }
        let bytes = self.file.get_bytes(start, length)?;
        if end == self.len.checked_sub(FOOTER_SIZE as u64) {
            headers::footer(&mut &*bytes)?;
        }
        Ok(bytes)
    }
}

/// What remains of a file.
#[derive(Debug)]
pub(super) struct NeverEmpty(File);

impl Read for NeverEmpty {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes)? {
            0 if !bytes.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

impl Seek for NeverEmpty {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_the_end_is_an_error_and_takes_no_memory() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = StrictFile::open(&path).unwrap();
        assert_eq!(file.len(), 10);
        assert_eq!(&*file.get_bytes(7, 3).unwrap(), b"789");
        for (start, length) in [(7, 4), (10, 1), (11, 0), (0, usize::MAX), (u64::MAX, 2)] {
            let found = file.get_bytes(start, length);
            assert!(
                matches!(found, Err(ParquetError::EOF(_))),
                "{start} {length}"
            );
        }
        let mut reader = file.get_read(2).unwrap();
        let mut eight = [0; 8];
        reader.read_exact(&mut eight).unwrap();
        assert_eq!(&eight, b"23456789");
        let skipped = io::copy(&mut reader.take(8), &mut io::sink());
        assert_eq!(skipped.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn headers_that_keep_a_reader_busy_are_refused_before_they_are_read() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        let list = [0x99, 0xF2, 0xFF, 0xFF, 0xFF, 0xFF, 7, 0];
        let tail = [8, 0, 0, 0, b'P', b'A', b'R', b'1'];
        std::fs::write(&path, [&list[..], &list, &tail].concat()).unwrap();
        let file = StrictFile::open(&path).unwrap();
        let words = |error: ParquetError| error.to_string();
        for found in [
            file.get_read(0).map(|_| ()).map_err(words),
            file.get_bytes(8, 8).map(|_| ()).map_err(words),
        ] {
            assert!(
                found.clone().unwrap_err().contains("truth values"),
                "{found:?}"
            );
        }
        // The end of the footer is no header, and neither is a page.
        assert!(file.get_read(16).is_ok());
        assert!(file.get_bytes(0, 8).is_ok());
    }
}
