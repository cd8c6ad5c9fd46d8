//! What processes say to the one that keeps the cache, and its answers: a JSON object a line.

use std::io::{self, BufRead, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::course::Course;
use super::figures::Figures;

/// Changes when a message changes its meaning; a keeper refuses others.
pub(super) const VERSION: u32 = 1;
/// Longest line in bytes: a course of two epochs of a million shards.
const LONGEST: u64 = 64 << 20;

/// A shard as its dataset's manifest describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardFile {
    /// Its name below the dataset's address.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of the file, 64 hexadecimal digits.
    pub blake3: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// The first message.
    Hello { version: u32, quota: Option<u64> },
    /// A dataset is opened, under a number of the process's choice.
    Open {
        user: u64,
        address: String,
        shards: Vec<ShardFile>,
    },
    /// An epoch begins.
    Begin {
        user: u64,
        course: Course,
        group: Option<String>,
    },
    /// The epoch's sets before this one are used up.
    At { user: u64, set: usize },
    /// The epoch is over.
    End { user: u64 },
    /// The dataset is closed.
    Leave { user: u64 },
    /// A shard that was said to be ready is not there, or its bytes are wrong.
    Recheck { user: u64, shard: u32 },
    /// What has the cache done so far?
    Figures,
    /// Is somebody there?
    Ping,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// To `Hello`: the keeper's process, and the bytes that the cache may hold.
    Welcome { process: u32, quota: u64 },
    /// To `Hello`, or to a user's `Begin`: it cannot be.
    Refused { user: Option<u64>, message: String },
    /// To `Begin`.
    Begun { user: u64 },
    /// These open shards are there.
    Ready { user: u64, shards: Vec<u32> },
    /// This shard cannot be had.
    Failed {
        user: u64,
        shard: u32,
        message: String,
    },
    /// To `Figures`.
    Figures(Figures),
    /// To `Ping`.
    Pong,
}

/// Writes a message.
pub(super) fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads the next message, whose beginning may be in `line` from a call that timed out; `None` at the end.
pub(super) fn receive<T: DeserializeOwned>(
    from: &mut impl BufRead,
    line: &mut Vec<u8>,
) -> io::Result<Option<T>> {
    from.by_ref()
        .take(LONGEST - line.len() as u64)
        .read_until(b'\n', line)?;
    if line.last() != Some(&b'\n') {
        return match line.len() as u64 {
            LONGEST => Err(io::Error::other("a message is too long")),
            _ => Ok(None),
        };
    }
    let message = serde_json::from_slice(line).map_err(io::Error::other);
    line.clear();
    message.map(Some)
}
