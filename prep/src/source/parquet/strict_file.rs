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
use parquet::file::reader::{ChunkReader, Length};

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

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(NeverEmpty(file)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.len) {
            let found = self.len.saturating_sub(start);
            let message = format!("expected {length} bytes at {start}, and there are {found}");
            return Err(ParquetError::EOF(message));
        }
        self.file.get_bytes(start, length)
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
        let mut reader = file.get_read(8).unwrap();
        let mut two = [0; 2];
        reader.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"89");
        let skipped = io::copy(&mut reader.take(8), &mut io::sink());
        assert_eq!(skipped.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
