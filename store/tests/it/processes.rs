//! The cache between processes, and what is left of it when they are killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use shardmill_store::Cache;

use crate::cache::{BYTES, dataset, own, read_epoch, shard_files};

pub(crate) const SHARDS: u8 = 10;
const QUOTA: u64 = 4 * BYTES as u64;

/// Not a test: what the processes below run. It reads epochs until it has read as many as it was told, and
/// says so after each.
#[test]
#[ignore = "a process of the other tests"]
fn a_reader() {
    let variable = |name| std::env::var(name).ok();
    let (Some(folder), Some(address), Some(epochs)) = (
        variable("READER_FOLDER"),
        variable("READER_ADDRESS"),
        variable("READER_EPOCHS"),
    ) else {
        return;
    };
    let cache = Cache::open(Path::new(&folder), Some(QUOTA)).unwrap();
    let session = cache.session(&address, shard_files(SHARDS));
    for epoch in 0..epochs.parse().unwrap() {
        read_epoch(&session, SHARDS);
        let keeper = cache.figures().unwrap().keeper;
        println!("epoch {epoch} keeper {keeper}");
        std::io::stdout().flush().unwrap();
    }
}

/// A process that reads.
pub(crate) struct Reader(pub(crate) Child);

impl Reader {
    pub(crate) fn start(folder: &Path, address: &str, epochs: u32) -> Self {
        Self::saying(folder, address, epochs, Stdio::inherit())
    }

    /// One whose notes and errors go somewhere.
    pub(crate) fn saying(folder: &Path, address: &str, epochs: u32, to: Stdio) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::a_reader", "--ignored", "--nocapture"])
            .env("READER_FOLDER", folder)
            .env("READER_ADDRESS", address)
            .env("READER_EPOCHS", epochs.to_string())
            .stdout(Stdio::piped())
            .stderr(to)
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Waits for the end of an epoch, and returns the process that keeps the cache.
    pub(crate) fn epoch(&mut self) -> Option<u32> {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        let line = lines
            .map_while(Result::ok)
            .find(|line| line.contains("keeper"))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every file of the cache has the bytes of its name, and nothing is left of what was on its way.
pub(crate) fn check(folder: &Path) {
    let Ok(files) = fs::read_dir(own(folder)) else {
        return;
    };
    for entry in files {
        let path = entry.unwrap().path();
        let is_part = path.extension().is_some_and(|kind| kind == "part");
        assert!(!is_part || !has_nameless_files(folder), "{path:?}");
        if path.extension().is_some_and(|kind| kind == "shard") {
            let found = blake3::hash(&fs::read(&path).unwrap()).to_hex();
            assert_eq!(path.file_stem().unwrap().to_str(), Some(found.as_str()));
        }
    }
}

/// Whether the file system has files without names, of which a kill leaves nothing.
fn has_nameless_files(folder: &Path) -> bool {
    let mut options = File::options();
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    options.read(true).write(true).open(folder).is_ok()
}

#[test]
fn when_the_keeper_is_killed_another_process_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = dataset(SHARDS);
    server.delay(Duration::from_millis(2));
    let mut first = Reader::start(folder.path(), &server.address, 1000);
    let keeper = first.epoch().unwrap();
    assert_eq!(keeper, first.0.id());
    let mut second = Reader::start(folder.path(), &server.address, 1000);
    assert_eq!(second.epoch(), Some(keeper));
    first.kill();
    let keeper = (0..100).find_map(|_| second.epoch().filter(|keeper| *keeper == second.0.id()));
    assert_eq!(keeper, Some(second.0.id()));
    let mut third = Reader::start(folder.path(), &server.address, 1);
    assert_eq!(third.epoch(), keeper);
    assert!(third.0.wait().unwrap().success());
    check(folder.path());
}

#[test]
fn killed_at_any_moment_the_cache_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(SHARDS);
    server.delay(Duration::from_millis(3));
    for kill in 0..50 {
        let mut reader = Reader::start(folder.path(), &server.address, 1000);
        std::thread::sleep(Duration::from_millis(5 + 3 * kill));
        reader.kill();
        check(folder.path());
    }
    let cache = Cache::open(folder.path(), Some(QUOTA)).unwrap();
    read_epoch(&cache.session(&server.address, shards), SHARDS);
    let names = fs::read_dir(own(folder.path()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let parts = names.iter().filter(|name| name.ends_with(".part")).count();
    let shards = names.iter().filter(|name| name.ends_with(".shard")).count();
    assert!(parts == 0 && shards <= 4, "{names:?}");
}
