//! The file `metrics.jsonl`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::run::error::TrainError;
use crate::run::log::line::Line;

/// An open metrics file, to which lines are appended.
#[derive(Debug)]
pub(crate) struct Metrics {
    path: PathBuf,
    file: File,
    lines: u64,
}

impl Metrics {
    /// Makes a new file.
    pub(crate) fn create(path: &Path) -> Result<Self, TrainError> {
        let file = File::create_new(path).map_err(TrainError::io("write", path))?;
        Ok(Self {
            path: path.into(),
            file,
            lines: 0,
        })
    }

    /// Opens a file and cuts off everything after its first `lines` lines: what a run wrote after
    /// the checkpoint that it goes on from will be written again.
    pub(crate) fn resume(path: &Path, lines: u64) -> Result<Self, TrainError> {
        let error = |source| TrainError::io("write", path)(source);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(error)?;
        let (kept, bytes) = whole_lines(&file, lines).map_err(error)?;
        file.set_len(bytes).map_err(error)?;
        let mut metrics = Self {
            path: path.into(),
            file,
            lines: kept,
        };
        metrics.file.seek(SeekFrom::End(0)).map_err(error)?;
        Ok(metrics)
    }

    /// Number of lines so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Appends a line and returns its text.
    pub(crate) fn append(&mut self, line: &Line<'_>) -> Result<String, TrainError> {
        let mut json = serde_json::to_string(line).expect("plain data becomes JSON");
        json.push('\n');
        let written = self.file.write_all(json.as_bytes());
        written.map_err(TrainError::io("write", &self.path))?;
        self.lines += 1;
        json.pop();
        Ok(json)
    }

    /// Cuts off everything after the first `lines` lines, to be written again by a resumed run.
    pub(crate) fn cut(&mut self, lines: u64) -> Result<(), TrainError> {
        *self = Self::resume(&self.path, lines)?;
        Ok(())
    }

    /// Waits until every line is on the disk, so that no checkpoint counts lines that are not.
    pub(crate) fn sync(&self) -> Result<(), TrainError> {
        self.file
            .sync_data()
            .map_err(TrainError::io("write", &self.path))
    }
}

/// The number of whole lines among the first `limit`, and their length in bytes.
fn whole_lines(file: &File, limit: u64) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::new(file);
    let (mut lines, mut bytes) = (0, 0);
    let mut line = Vec::new();
    while lines < limit {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        lines += 1;
        bytes += read as u64;
    }
    Ok((lines, bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Line, Metrics};

    const WARNING: Line<'_> = Line::Warning {
        epoch: 1,
        step: 2,
        message: "hot",
    };

    #[test]
    fn a_resumed_file_goes_on_after_the_lines_that_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::create(&path).unwrap();
        let line = metrics.append(&WARNING).unwrap();
        assert_eq!(
            line,
            r#"{"event":"warning","epoch":1,"step":2,"message":"hot"}"#
        );
        metrics.append(&WARNING).unwrap();
        drop(metrics);
        fs::write(&path, format!("{line}\n{line}\n{{\"half")).unwrap();

        let mut metrics = Metrics::resume(&path, 1).unwrap();
        metrics
            .append(&Line::Warning {
                epoch: 9,
                step: 9,
                message: "new",
            })
            .unwrap();
        assert_eq!(metrics.lines(), 2);
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with(&line) && text.lines().count() == 2,
            "{text}"
        );
    }

    #[test]
    fn a_half_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, "{}\n{\"half").unwrap();
        assert_eq!(Metrics::resume(&path, 5).unwrap().lines(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, "mine").unwrap();
        assert!(Metrics::create(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
