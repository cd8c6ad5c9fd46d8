//! Waits for a batch that their caller stops.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use shardmill_formats::Codec;
use shardmill_loader::{LoaderBuilder, LoaderError};

use crate::purity::{Contents, contents, epoch};
use crate::{builder, dataset};

fn oracle(builder: &LoaderBuilder) -> Vec<Contents> {
    epoch(&builder.clone().threads(0).build().unwrap(), 1)
}

#[test]
fn a_stopped_wait_loses_nothing() {
    let (_folder, dataset) = dataset(Codec::Zstd);
    for threads in [1, 2, 8] {
        let plain = builder(&dataset).batch_size(3).threads(threads);
        let open = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&open);
        let loader = plain.clone().transform(move |_| {
            while !gate.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        });
        let mut batches = loader.build().unwrap().epoch(1);
        let (mut found, mut stops) = (Vec::new(), 0);
        loop {
            // Batches that passed the gate while it was open come at once, whatever the answer is.
            open.store(false, Ordering::SeqCst);
            let mut next = batches.next_unless(&|| true);
            if matches!(next, Some(Err(LoaderError::Stopped))) {
                stops += 1;
                open.store(true, Ordering::SeqCst);
                next = batches.next();
            }
            let Some(batch) = next else {
                break;
            };
            found.push(contents(&batch.unwrap()));
        }
        assert!(stops > 0, "the gate was closed at first");
        assert_eq!(found, oracle(&plain), "{threads} threads");
    }
}

#[test]
fn the_first_wait_is_stopped_before_anything_was_made_and_metered() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let loader = builder(&dataset).threads(2).transform(move |_| {
        while !gate.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    });
    let mut batches = loader.build().unwrap().epoch(1);
    let asked = Cell::new(0);
    for stops in 1..=3 {
        let at_the_fourth = || {
            asked.set(asked.get() + 1);
            asked.get() == 4 * stops
        };
        let error = batches.next_unless(&at_the_fourth).unwrap().unwrap_err();
        assert!(
            error.to_string().contains("next batch to continue"),
            "{error}"
        );
        assert_eq!(asked.get(), 4 * stops);
        assert_eq!((batches.step(), batches.meter().batches), (0, 0));
        // Four looks, 20 ms apart at least.
        assert!(batches.waited() >= Duration::from_millis(80) * stops);
    }
    open.store(true, Ordering::SeqCst);
    let all: Vec<_> = batches.map(|batch| contents(&batch.unwrap())).collect();
    assert_eq!(all, oracle(&builder(&dataset)));
}

#[test]
fn work_without_threads_is_stopped_between_samples_and_begun_again() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let plain = builder(&dataset).batch_size(12).threads(0);
    let slow = plain.clone().transform(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    });
    let mut batches = slow.build().unwrap().epoch(1);
    let mut found = Vec::new();
    while batches.len() > 0 {
        // A batch takes 60 ms or more, so it is asked about before it is there.
        let error = batches.next_unless(&|| true).unwrap().unwrap_err();
        assert!(matches!(error, LoaderError::Stopped), "{error}");
        let asked = Cell::new(0);
        let never = || {
            asked.set(asked.get() + 1);
            false
        };
        found.push(contents(&batches.next_unless(&never).unwrap().unwrap()));
        assert!(asked.get() > 0);
    }
    assert_eq!(found, oracle(&plain));
}

#[test]
fn other_errors_still_end_the_epoch() {
    let (_folder, dataset) = dataset(Codec::Raw);
    for threads in [0, 2] {
        let failing = builder(&dataset).threads(threads);
        let failing = failing.transform(|_| Err("not this one".into()));
        let mut batches = failing.build().unwrap().epoch(0);
        let error = batches.next_unless(&|| false).unwrap().unwrap_err();
        assert!(matches!(error, LoaderError::Transform { .. }), "{error}");
        assert!(batches.next_unless(&|| false).is_none());
    }
}

#[test]
fn a_function_around_each_thread_is_there_from_its_first_transform_to_its_end() {
    thread_local! {
        static IS_WITHIN: Cell<bool> = const { Cell::new(false) };
    }
    let (_folder, dataset) = dataset(Codec::Raw);
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let seen = Arc::clone(&counts);
    let loader = builder(&dataset)
        .threads(2)
        .around_threads(move |work| {
            IS_WITHIN.set(true);
            seen[0].fetch_add(1, Ordering::Relaxed);
            work();
            seen[1].fetch_add(1, Ordering::Relaxed);
        })
        .transform(|_| {
            assert!(IS_WITHIN.get());
            Ok(())
        })
        .build()
        .unwrap();
    for epoch in 1..3 {
        loader.epoch(epoch).for_each(|batch| drop(batch.unwrap()));
        let counted = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counted, [2 * epoch as usize; 2]);
    }
}
