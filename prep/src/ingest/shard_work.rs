//! A single shard under way in a folder in which other processes make others, and perhaps the same.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};

use shardmill_formats::ShardMetadata;

use super::journal::{IngestHeader, ShardLine};
use crate::error::PrepError;
use crate::io::{ATTEMPT_DIGITS, file};
use crate::shards::ShardFile;

/// The shard that this process makes. The journal is another process's.
pub(super) struct ShardWork {
    folder: PathBuf,
    header: IngestHeader,
    lines: Vec<ShardLine>,
    /// Tells the unfinished file from one of a process that made the same shard and is lost, or seems to be.
    attempt: String,
}

impl ShardWork {
    pub(super) fn new(folder: PathBuf, header: IngestHeader) -> Self {
        // Its keys are random.
        let random = RandomState::new().build_hasher().finish();
        Self {
            folder,
            header,
            lines: Vec::new(),
            attempt: format!("{random:0ATTEMPT_DIGITS$x}"),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    pub(super) const fn header(&self) -> &IngestHeader {
        &self.header
    }

    pub(super) fn lines(&self) -> &[ShardLine] {
        &self.lines
    }

    pub(super) fn append(&mut self, line: ShardLine) {
        self.lines.push(line);
    }

    pub(super) fn create_shard(
        &self,
        name: String,
        metadata: ShardMetadata,
    ) -> Result<ShardFile, PrepError> {
        let unfinished = self.folder.join(format!("{name}.{}", self.attempt));
        ShardFile::create_as(&self.folder, name, file::part_of(&unfinished), metadata)
    }
}
