//! TensorBoard's event files: records of TFRecord framing that hold `Event` messages of Protocol Buffers.
//!
//! A record is its length (8 bytes, little endian), a masked CRC-32C of those, the message, and a masked
//! CRC-32C of that. Of the message four fields are written: wall_time (1, double), step (2, varint),
//! file_version (3, string), summary (5), and session_log (7), which tells a reader that a run went on
//! from an earlier step.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use shardmill_formats::crc32c;

use crate::run::error::TrainError;
use crate::run::log::Line;

/// Wire types of Protocol Buffers.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// `SessionLog.SessionStatus.START`.
const START: u64 = 1;

/// An open event file. It is not synced: no run depends on it.
#[derive(Debug)]
pub(crate) struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// Makes a new file in `dir`, for a run that goes on after `step` steps.
    pub(crate) fn create(dir: &Path, step: u64) -> Result<Self, TrainError> {
        let started = now() as u64;
        for number in 0.. {
            let name = format!("events.out.tfevents.{started:010}.{number}.shardmill");
            let path = dir.join(name);
            match File::create_new(&path) {
                Ok(file) => {
                    let mut events = Self { path, file };
                    events.append(&bytes_field(3, b"brain.Event:2"), 0)?;
                    if step > 0 {
                        events.append(&bytes_field(7, &varint_field(1, START)), step)?;
                    }
                    return Ok(events);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(TrainError::io("write", &path)(error)),
            }
        }
        unreachable!("a folder holds fewer than 2^31 files of one second")
    }

    /// Appends the points of a line, if it has any.
    pub(crate) fn append_line(&mut self, line: &Line<'_>) -> Result<(), TrainError> {
        let Some((step, points)) = line.points() else {
            return Ok(());
        };
        let mut summary = Vec::new();
        for (tag, value) in points {
            let mut message = bytes_field(1, tag.as_bytes());
            message.push(key(2, FIXED32));
            message.extend((value as f32).to_le_bytes());
            summary.extend(bytes_field(1, &message));
        }
        self.append(&bytes_field(5, &summary), step)
    }

    fn append(&mut self, what: &[u8], step: u64) -> Result<(), TrainError> {
        let mut event = vec![key(1, FIXED64)];
        event.extend(now().to_le_bytes());
        event.extend(varint_field(2, step));
        event.extend(what);
        self.file
            .write_all(&record(&event))
            .map_err(TrainError::io("write", &self.path))
    }
}

/// Seconds since 1970; 0 for a clock before that.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

const fn key(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_field(field: u8, value: u64) -> Vec<u8> {
    let mut out = vec![key(field, VARINT)];
    varint(value, &mut out);
    out
}

fn bytes_field(field: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![key(field, BYTES)];
    varint(value.len() as u64, &mut out);
    out.extend(value);
    out
}

/// TFRecord's mask, which keeps the checksum of a checksum from being trivial.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked(&length).to_le_bytes());
    out.extend(message);
    out.extend(masked(message).to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::net::scores::Scores;
    use crate::run::View;

    #[test]
    fn a_record_has_the_published_frame() {
        // The bytes that RecordWriter of the Python package tensorboard 2.21.0 makes of "abc".
        let expected = [
            3, 0, 0, 0, 0, 0, 0, 0, 0xB0, 0x99, 0x49, 0x0E, b'a', b'b', b'c', 0x6E, 0x57, 0xF1,
            0x21,
        ];
        assert_eq!(record(b"abc"), expected);
    }

    #[test]
    fn numbers_are_base_128_with_the_low_end_first() {
        assert_eq!(varint_field(2, 300), [16, 0xAC, 0x02]);
        assert_eq!(varint_field(2, 0), [16, 0]);
    }

    #[test]
    fn two_runs_within_a_second_have_files_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let mut events = Events::create(folder.path(), 7).unwrap();
            let line = Line::Evaluation {
                epoch: 1,
                step: 8,
                split: "val",
                views: View::Center,
                scores: Scores {
                    samples: 1,
                    loss: 2.5,
                    top1_error: 0.0,
                    top5_error: 0.0,
                },
                guessing_top1_error: None,
                seconds: 1.0,
            };
            events.append_line(&line).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
