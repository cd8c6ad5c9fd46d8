//! Keepers whose lock or socket somebody deletes or replaces, and keepers that are stopped.

use std::fs::{self, File};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cache::{dataset, own};
use crate::processes::{Reader, SHARDS, check};

/// Reads epochs until the keeper is this process.
fn until_kept_by(reader: &mut Reader, process: u32) {
    let began = Instant::now();
    while reader.epoch().expect("it goes on") != process {
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}

/// Reads epochs of both until they name the keeper that the lock's file names, and returns it.
fn settled(first: &mut Reader, second: &mut Reader, lock: &Path) -> u32 {
    let began = Instant::now();
    loop {
        let kept = [&mut *first, &mut *second].map(|reader| reader.epoch().expect("it goes on"));
        let named = fs::read_to_string(lock).unwrap_or_default();
        if kept.iter().all(|keeper| keeper.to_string() == named.trim()) {
            return kept[0];
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{kept:?} {named}"
        );
    }
}

fn signal(reader: &Reader, signal: Signal) {
    kill_process(Pid::from_child(&reader.0), signal).unwrap();
}

/// Waits until a file has some words, and returns how long that took.
fn until_it_says(file: &Path, words: &str, at_most: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(file).unwrap();
        if text.contains(words) {
            return began.elapsed();
        }
        assert!(began.elapsed() < at_most, "no {words:?}: {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_deleted_or_replaced_lock_leaves_one_keeper() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = dataset(SHARDS);
    server.delay(Duration::from_millis(2));
    let lock = own(folder.path()).join("shardmill-cache.lock");
    let mut first = Reader::start(folder.path(), &server.address, 10_000);
    let process = first.0.id();
    until_kept_by(&mut first, process);
    // The file of the lock names the keeper.
    let text = fs::read_to_string(&lock).unwrap();
    assert_eq!(text.trim(), first.0.id().to_string());
    fs::remove_file(&lock).unwrap();
    let mut second = Reader::start(folder.path(), &server.address, 10_000);
    // Whichever of them got the new lock: both come to say the same, for good.
    let keeper = settled(&mut first, &mut second, &lock);
    for _ in 0..20 {
        assert_eq!(first.epoch(), Some(keeper));
        assert_eq!(second.epoch(), Some(keeper));
    }
    // Another file takes its place.
    fs::write(folder.path().join("lock"), "").unwrap();
    fs::rename(folder.path().join("lock"), &lock).unwrap();
    settled(&mut first, &mut second, &lock);
    check(folder.path());
}

#[test]
fn a_deleted_or_replaced_socket_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = dataset(SHARDS);
    let socket = own(folder.path()).join("shardmill-cache.socket");
    let mut first = Reader::start(folder.path(), &server.address, 100_000);
    let keeper = first.epoch();
    fs::remove_file(&socket).unwrap();
    let mut second = Reader::start(folder.path(), &server.address, 1);
    assert_eq!(second.epoch(), keeper);
    // Somebody else's socket, which takes connections and never answers.
    fs::remove_file(&socket).unwrap();
    let strange = UnixListener::bind(&socket).unwrap();
    let began = Instant::now();
    let mut third = Reader::start(folder.path(), &server.address, 1);
    assert_eq!(third.epoch(), keeper);
    // At most the time after which another connection is tried.
    assert!(began.elapsed() < Duration::from_secs(30));
    drop(strange);
    assert_eq!(first.epoch(), keeper);
}

#[test]
fn a_stopped_keeper_is_said_and_then_an_error_and_one_that_is_killed_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = dataset(SHARDS);
    server.delay(Duration::from_millis(2));
    let mut keeper = Reader::start(folder.path(), &server.address, 100_000);
    let process = keeper.0.id();
    until_kept_by(&mut keeper, process);
    let said = folder.path().join("said");
    let to = File::create(&said).unwrap().into();
    let mut reader = Reader::saying(folder.path(), &server.address, 100_000, to);
    until_kept_by(&mut reader, keeper.0.id());
    signal(&keeper, Signal::STOP);
    let waiting = format!("note: waiting for process {}", keeper.0.id());
    let took = until_it_says(&said, &waiting, Duration::from_secs(30));
    assert!(took >= Duration::from_secs(4), "{took:?}");
    // It goes on, and so does its reader.
    signal(&keeper, Signal::CONT);
    for _ in 0..20 {
        assert_eq!(reader.epoch(), Some(keeper.0.id()));
    }
    signal(&keeper, Signal::STOP);
    let error = format!("kill -CONT {}", keeper.0.id());
    let took = until_it_says(&said, &error, Duration::from_secs(120));
    assert!(took >= Duration::from_secs(50), "{took:?}");
    assert!(!reader.0.wait().unwrap().success());
    // Somebody kills it, as the error says.
    let mut next = Reader::start(folder.path(), &server.address, 1);
    keeper.kill();
    assert_eq!(next.epoch(), Some(next.0.id()));
    check(folder.path());
}
