//! The cache in one process: what it fetches, keeps, deletes and refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shardmill_store::{Cache, Course, Session, Set, ShardFile, StoreError};

use crate::bytes;
use crate::server::{Fault, Server};

/// The cache's own folder in the one that it was given.
pub(crate) fn own(folder: &Path) -> PathBuf {
    folder.join("shardmill-cache")
}

pub(crate) const BYTES: usize = 100_000;

/// A server with `count` shards of 100,000 bytes, and how a manifest describes them.
pub(crate) fn dataset(count: u8) -> (Server, Vec<ShardFile>) {
    let names: Vec<String> = (0..count).map(|i| format!("train-{i}")).collect();
    let files: Vec<_> = (0..count)
        .map(|i| (&*names[usize::from(i)], bytes(BYTES, i)))
        .collect();
    (Server::start(&files), shard_files(count))
}

pub(crate) fn shard_files(count: u8) -> Vec<ShardFile> {
    let shards = (0..count).map(|i| ShardFile {
        file: format!("train-{i}"),
        bytes: BYTES as u64,
        blake3: blake3::hash(&bytes(BYTES, i)).to_hex().to_string(),
    });
    shards.collect()
}

/// One shard after the other, each with the next one open, twice.
pub(crate) fn one_by_one(count: u32) -> Course {
    let sets = (0..2).flat_map(|epoch| {
        (0..count).map(move |shard| Set {
            shards: vec![shard],
            until: (epoch * count + (shard + 1).min(count - 1)) as usize,
        })
    });
    Course {
        sets: sets.collect(),
        epoch: count as usize,
    }
}

pub(crate) fn never() -> bool {
    false
}

/// Reads an epoch, and compares every shard.
pub(crate) fn read_epoch(session: &Session, count: u8) {
    session.begin(one_by_one(u32::from(count)), None).unwrap();
    for shard in 0..count {
        let path = session.wait(u32::from(shard), &never).unwrap();
        assert!(
            fs::read(path).unwrap() == bytes(BYTES, shard),
            "shard {shard}"
        );
        session.advance(usize::from(shard) + 1);
    }
    session.end();
}

fn shards_in(folder: &Path) -> usize {
    let names = fs::read_dir(own(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".shard"))
        .count()
}

#[test]
fn an_epoch_through_a_small_cache_fetches_each_shard_once() {
    let folder = tempfile::tempdir().unwrap();
    // The user's own files, one of which has the name of a shard.
    let mine = ["notes.txt".to_owned(), format!("{}.shard", "a".repeat(64))];
    let mine = mine.map(|name| folder.path().join(name));
    for file in &mine {
        fs::write(file, vec![0; 3 * BYTES]).unwrap();
    }
    let (server, shards) = dataset(12);
    let cache = Cache::open(folder.path(), Some(3 * BYTES as u64)).unwrap();
    let session = cache.session(&server.address, shards);
    read_epoch(&session, 12);
    assert!(shards_in(folder.path()) <= 3);
    // Of three, two are open. The first one is kept for the next epoch, and the second one fetched for it as
    // soon as no more than the last one is open.
    let first = cache.figures().unwrap();
    assert!((12..=13).contains(&first.fetched_shards), "{first:?}");
    read_epoch(&session, 12);
    let second = cache.figures().unwrap();
    assert!((22..=24).contains(&second.fetched_shards), "{second:?}");
    assert_eq!(second.damaged, 0);
    assert_eq!(second.fetched_bytes, second.fetched_shards * BYTES as u64);
    assert_eq!(server.asked().len() as u64, second.fetched_shards);
    assert!(second.held_bytes <= 3 * BYTES as u64, "{second:?}");
    for file in &mine {
        assert_eq!(fs::read(file).unwrap(), vec![0; 3 * BYTES]);
    }
}

#[test]
fn a_cache_with_room_for_all_fetches_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(5);
    let cache = Cache::open(folder.path(), Some(1 << 30)).unwrap();
    let session = cache.session(&server.address, shards.clone());
    read_epoch(&session, 5);
    read_epoch(&session, 5);
    drop(session);
    read_epoch(&cache.session(&server.address, shards), 5);
    assert_eq!(cache.figures().unwrap().fetched_shards, 5);
    assert_eq!(server.asked().len(), 5);
}

#[test]
fn a_quota_below_what_is_open_at_once_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(4);
    let cache = Cache::open(folder.path(), Some(2 * BYTES as u64 - 1)).unwrap();
    let session = cache.session(&server.address, shards);
    let error = session.begin(one_by_one(4), None).unwrap_err().to_string();
    assert!(
        error.contains("give --cache-bytes 200000 or more"),
        "{error}"
    );
    assert_eq!(server.asked(), []);
    // One at a time has room.
    let alone = |shard| Set {
        shards: vec![shard],
        until: shard as usize,
    };
    let course = Course {
        sets: (0..4).map(alone).collect(),
        epoch: 4,
    };
    session.begin(course, None).unwrap();
    session.wait(0, &never).unwrap();
    let other = Cache::open(folder.path(), Some(5))
        .err()
        .unwrap()
        .to_string();
    assert!(other.contains("--cache-bytes 199999"), "{other}");
}

#[test]
fn a_damaged_shard_is_fetched_once_more_and_then_named() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(2);
    let cache = Cache::open(folder.path(), None).unwrap();
    let session = cache.session(&server.address, shards);
    server.next(&[Fault::Flip]);
    read_epoch(&session, 2);
    assert_eq!(cache.figures().unwrap().damaged, 1);
    for shard in fs::read_dir(own(folder.path())).unwrap() {
        let path = shard.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "shard") {
            fs::remove_file(path).unwrap();
        }
    }
    server.always(Some(Fault::Flip));
    session.begin(Course::whole(vec![0, 1]), None).unwrap();
    session.wait(0, &never).unwrap();
    session.recheck(0);
    let error = session.wait(0, &never).unwrap_err().to_string();
    assert!(error.contains("train-0 arrived damaged 2 times"), "{error}");
    assert!(!fs::read_dir(own(folder.path())).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".part")
    }));
    // In another epoch it is tried again.
    server.always(None);
    session.begin(Course::whole(vec![0, 1]), None).unwrap();
    session.wait(0, &never).unwrap();
}

#[test]
fn a_shard_that_the_disk_damaged_is_found_and_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(1);
    let cache = Cache::open(folder.path(), None).unwrap();
    let session = cache.session(&server.address, shards);
    session.begin(Course::whole(vec![0]), None).unwrap();
    let path = session.wait(0, &never).unwrap();
    let mut damaged = bytes(BYTES, 0);
    damaged[7] ^= 1;
    fs::write(&path, damaged).unwrap();
    session.recheck(0);
    let path = session.wait(0, &never).unwrap();
    assert!(fs::read(path).unwrap() == bytes(BYTES, 0));
    // One that is whole stays.
    server.asked();
    session.recheck(0);
    session.wait(0, &never).unwrap();
    assert_eq!(server.asked(), []);
}

#[test]
fn a_wait_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(1);
    server.delay(Duration::from_secs(2));
    let cache = Cache::open(folder.path(), None).unwrap();
    let session = cache.session(&server.address, shards);
    session.begin(Course::whole(vec![0]), None).unwrap();
    let began = Instant::now();
    let stop = || began.elapsed() > Duration::from_millis(100);
    assert!(matches!(session.wait(0, &stop), Err(StoreError::Stopped)));
    assert!(began.elapsed() < Duration::from_secs(1));
    session.wait(0, &never).unwrap();
}

#[test]
fn a_cache_may_lie_deep_below_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder
        .path()
        .join("a long name of a folder".repeat(8))
        .join("cache");
    let (server, shards) = dataset(2);
    let cache = Cache::open(&deep, None).unwrap();
    read_epoch(&cache.session(&server.address, shards), 2);
    assert_eq!(shards_in(&deep), 2);
}

#[test]
fn a_shard_of_the_wrong_length_is_fetched_again_and_no_link_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(2);
    let precious = folder.path().join("precious");
    fs::write(&precious, "mine").unwrap();
    // What a process left that was killed as it made the folder.
    let own = own(folder.path());
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("CACHEDIR.TAG"), "").unwrap();
    fs::write(own.join(format!("{}.shard", shards[0].blake3)), "short").unwrap();
    let process = std::process::id();
    let part = own.join(format!("{}.{process}.part", shards[1].blake3));
    std::os::unix::fs::symlink(&precious, part).unwrap();
    let cache = Cache::open(folder.path(), None).unwrap();
    read_epoch(&cache.session(&server.address, shards), 2);
    assert_eq!(fs::read(precious).unwrap(), b"mine");
}

#[test]
fn a_dataset_that_cannot_be_opened_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(1);
    let cache = Cache::open(folder.path(), None).unwrap();
    let _first = cache.session(&server.address, shards.clone());
    let mut wrong = shards;
    wrong[0].bytes += 1;
    let session = cache.session(&server.address, wrong);
    for pause in [0, 100] {
        std::thread::sleep(Duration::from_millis(pause));
        let error = session.begin(Course::whole(vec![0]), None).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("two datasets") || text.contains("opened"),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_file_in_a_shards_place_is_an_error_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (server, shards) = dataset(3);
    let cache = Cache::open(folder.path(), None).unwrap();
    let place = |shard: usize| own(folder.path()).join(format!("{}.shard", shards[shard].blake3));
    let fifo = || {
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, place(0), kind, rustix::fs::Mode::RWXU, 0).unwrap();
    };
    fifo();
    std::os::unix::fs::symlink("elsewhere", place(1)).unwrap();
    fs::create_dir(place(2)).unwrap();
    let session = cache.session(&server.address, shards.clone());
    session.begin(Course::whole(vec![0, 1, 2]), None).unwrap();
    for (shard, kind) in [(0, "a FIFO"), (1, "a link"), (2, "a folder")] {
        let error = session.wait(shard, &never).unwrap_err().to_string();
        let expected = format!("{} is {kind}", place(shard as usize).display());
        assert!(error.starts_with(&expected), "{error}");
    }
    assert_eq!(server.asked(), [], "nothing was fetched in vain");
    assert!(place(1).is_symlink() && place(2).is_dir());
    fs::remove_file(place(0)).unwrap();
    session.begin(Course::whole(vec![0]), None).unwrap();
    session.wait(0, &never).unwrap();
    // One that comes in place of a shard that was there.
    fs::remove_file(place(0)).unwrap();
    fifo();
    session.recheck(0);
    let error = session.wait(0, &never).unwrap_err().to_string();
    assert!(error.contains("a FIFO"), "{error}");
    assert!(!place(0).is_file() && place(0).exists());
}
