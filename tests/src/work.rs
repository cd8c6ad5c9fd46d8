//! A folder of image trees, datasets and runs, and `train` in it.

use std::path::PathBuf;

use shardmill_prep::{IngestOptions, ingest};

use crate::{Program, SMALL_SIDE, run};

/// A folder of image trees, datasets and runs, which is removed with this. In the command lines of its methods
/// `@name` is the file or folder `name` in it.
#[derive(Debug)]
pub struct Work {
    folder: tempfile::TempDir,
}

impl Work {
    /// An empty folder.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        Self { folder }
    }

    /// The path of a file or folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes the dataset `shards` of a tree as [`write_small`](crate::write_small) writes it.
    ///
    /// # Panics
    /// If that fails.
    pub fn ingest(&self, tree: &str, shards: &str) {
        let mut options = IngestOptions::new(self.path(tree), self.path(shards));
        options.size = SMALL_SIDE;
        ingest(&options).expect("the tree can be ingested");
    }

    /// The exit code, output and errors of `train` with this line.
    #[must_use]
    pub fn run(&self, line: &str) -> (Option<i32>, String, String) {
        let words = line
            .split_whitespace()
            .map(|word| match word.strip_prefix('@') {
                Some(name) => self.path(name).to_string_lossy().into_owned(),
                None => word.to_owned(),
            });
        let words: Vec<String> = words.collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(Program::Train, &words)
    }

    /// The output of a line that ends well.
    ///
    /// # Panics
    /// If it does not.
    pub fn say(&self, line: &str) -> String {
        let (code, stdout, stderr) = self.run(line);
        assert_eq!(code, Some(0), "{line}: {stdout}{stderr}");
        stdout
    }

    /// The error of a line that ends with this code and puts nothing out.
    ///
    /// # Panics
    /// If it ends otherwise.
    pub fn refuse(&self, line: &str, expected: i32) -> String {
        let (code, stdout, stderr) = self.run(line);
        assert_eq!(code, Some(expected), "{line}: {stdout}{stderr}");
        assert_eq!(stdout, "", "{line}");
        assert!(stderr.starts_with("error: "), "{line}: {stderr}");
        stderr
    }
}
