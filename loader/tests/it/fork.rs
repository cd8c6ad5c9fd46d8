//! `fork` in the middle of an epoch. In a file of its own, since forking is unsafe.
//!
//! # Contract
//! [`in_child`] forks, runs a closure in the child, and ends the child with `_exit`, so that no test
//! harness goes on there twice. The child has one thread: the closure may allocate, since glibc's and
//! musl's allocators are usable after `fork`, and must not print, since another thread of the
//! harness may have held the lock of standard output.

#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use shardmill_formats::Codec;
use shardmill_loader::{Advice, Batch, Dataset, Loader, LoaderError, Policy};

use crate::kit;

/// Seconds after which a child that waits for ever is ended by a signal.
const PATIENCE: libc::c_uint = 20;

/// What became of a child's work.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Right,
    Wrong,
    /// It was ended by this signal: SIGALRM if it waited for ever.
    Signal(libc::c_int),
}

/// Runs `work` in a forked child.
fn in_child(work: impl FnOnce() -> bool) -> End {
    // SAFETY: the child runs `work` alone, which keeps to the contract above, and ends in `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        // SAFETY: `alarm` takes a number of seconds and touches no memory.
        unsafe { libc::alarm(PATIENCE) };
        let right = catch_unwind(AssertUnwindSafe(work)).unwrap_or(false);
        // SAFETY: `_exit` does not return and runs nothing of this program.
        unsafe { libc::_exit(if right { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: `status` is a c_int of this frame, and `child` is a child that nobody else waits for.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child, "{}", std::io::Error::last_os_error());
    if libc::WIFSIGNALED(status) {
        return End::Signal(libc::WTERMSIG(status));
    }
    match libc::WEXITSTATUS(status) {
        0 => End::Right,
        _ => End::Wrong,
    }
}

/// A loader with advice, so that every kind of thread that there is runs.
fn loader(threads: usize) -> (tempfile::TempDir, Loader) {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Jpeg);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let policy = Policy::Train {
        crop: 16,
        flip: true,
        color_std: 0.1,
    };
    let builder = Loader::builder(dataset).batch_size(2).threads(threads);
    let builder = builder.advice(Advice::Always).policy(policy);
    (folder, builder.build().unwrap())
}

type Content = (Vec<u64>, Vec<f32>);

fn content(batch: Result<Batch, LoaderError>) -> Content {
    let batch = batch.unwrap();
    (batch.indices().to_vec(), batch.images_f32().to_vec())
}

#[test]
fn a_forked_childs_next_batch_is_an_error_and_the_parent_goes_on() {
    let (_folder, loader) = loader(3);
    let whole: Vec<Content> = loader.epoch(0).map(content).collect();
    let mut epoch = loader.epoch(0);
    let mut taken = vec![content(epoch.next().unwrap())];
    let end = in_child(|| {
        let Some(Err(error)) = epoch.next() else {
            return false;
        };
        let text = error.to_string();
        matches!(error, LoaderError::Forked { step: 1 })
            && text.contains("begin the epoch")
            && text.contains("in the child")
            && epoch.next().is_none()
    });
    assert_eq!(end, End::Right);
    taken.extend(epoch.map(content));
    assert!(taken == whole, "the parent's epoch was disturbed");
}

#[test]
fn dropping_a_running_epoch_in_a_forked_child_waits_for_nobody() {
    let (_folder, loader) = loader(3);
    for number in 0..40 {
        let mut epoch = loader.epoch(number);
        let batch = epoch.next().unwrap().unwrap();
        let mut epoch = Some(epoch);
        let mut batch = Some(batch);
        let end = in_child(|| {
            drop(batch.take());
            drop(epoch.take());
            true
        });
        assert_eq!(end, End::Right);
        let left = epoch.unwrap().map(|batch| batch.unwrap().len());
        assert_eq!(left.sum::<usize>() + batch.unwrap().len(), kit::SAMPLES);
    }
}

#[test]
fn seeking_a_running_epoch_in_a_forked_child_begins_it_there() {
    let (_folder, loader) = loader(2);
    let whole: Vec<Content> = loader.epoch(4).map(content).collect();
    let mut epoch = loader.epoch(4);
    let first = epoch.next().unwrap().unwrap();
    let step = first.step() + 1;
    let mut epoch = Some(epoch);
    let end = in_child(|| {
        let epoch = epoch.take().unwrap().seek(step);
        epoch.map(content).eq(whole[1..].iter().cloned())
    });
    assert_eq!(end, End::Right);
}

#[test]
fn a_loader_of_the_parent_works_in_a_forked_child() {
    let (_folder, loader) = loader(2);
    let whole: Vec<Content> = loader.epoch(7).map(content).collect();
    for number in 0..40 {
        // Its threads are at work, with the pool of buffers too, while the process forks.
        let mut running = loader.epoch(number);
        let batch = running.next().unwrap().unwrap();
        let unused = loader.epoch(7);
        let mut unused = Some(unused);
        let end = in_child(|| {
            loader.epoch(7).map(content).eq(whole.iter().cloned())
                && unused
                    .take()
                    .unwrap()
                    .map(content)
                    .eq(whole.iter().cloned())
        });
        assert_eq!(end, End::Right);
        drop(batch);
    }
}

#[test]
fn an_epoch_without_threads_goes_on_in_a_forked_child() {
    let (_folder, loader) = loader(0);
    let whole: Vec<Content> = loader.epoch(2).map(content).collect();
    let mut epoch = loader.epoch(2);
    let first = content(epoch.next().unwrap());
    assert!(first == whole[0]);
    let end = in_child(|| epoch.by_ref().map(content).eq(whole[1..].iter().cloned()));
    assert_eq!(end, End::Right);
    assert!(epoch.map(content).eq(whole[1..].iter().cloned()));
}
