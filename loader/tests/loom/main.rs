//! The slots under loom: every interleaving of two workers and a consumer, with early drop and with
//! workers that end. Built only with `--cfg loom` (`just loom`).

#![cfg(loom)]

mod channel;
#[path = "../../src/pipeline/slots.rs"]
mod slots;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;

/// Counts what was made and not yet dropped. Not one of loom's atomics: it only watches, and must
/// not add interleavings.
struct Made {
    step: u64,
    alive: Arc<AtomicUsize>,
}

impl Drop for Made {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What happens in one model.
#[derive(Clone, Copy)]
struct Play {
    steps: u64,
    slots: usize,
    /// How many the consumer takes before it is dropped.
    taken: u64,
    /// The worker that gets this ticket gives its result and ends, as after a panic.
    ends_at: Option<u64>,
    /// Questions after which a wait is stopped; what was waited for is then asked for again.
    patience: Option<usize>,
}

/// Every interleaving, or those with at most `preemptions` forced switches.
fn explore(play: Play, preemptions: Option<usize>) -> usize {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 100_000;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        run(play);
    });
    runs.load(Ordering::Relaxed)
}

/// The next in order. With patience, the first wait is stopped after so many questions and the second
/// is not.
fn take<T>(consumer: &mut slots::Consumer<T>, patience: Option<usize>) -> Option<T> {
    if let Some(patience) = patience {
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > patience
        };
        if let Ok(taken) = consumer.next(Some(&stop)) {
            return taken;
        }
    }
    consumer.next(None).expect("nobody stops this wait")
}

fn run(play: Play) {
    let alive = Arc::new(AtomicUsize::new(0));
    let (mut consumer, producer) = slots::slots(0, play.steps, play.slots);
    let workers: Vec<_> = [producer.clone(), producer]
        .into_iter()
        .map(|producer| {
            let alive = Arc::clone(&alive);
            thread::spawn(move || {
                let mut tickets = Vec::new();
                while let Some(step) = producer.ticket() {
                    tickets.push(step);
                    let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(
                        now <= play.slots,
                        "{now} are under way in {} slots",
                        play.slots
                    );
                    let made = Made {
                        step,
                        alive: Arc::clone(&alive),
                    };
                    if !producer.send(step, made) || play.ends_at == Some(step) {
                        break;
                    }
                }
                tickets
            })
        })
        .collect();
    for step in 0..play.taken {
        let made = take(&mut consumer, play.patience).expect("a worker is left");
        assert_eq!(made.step, step, "out of order");
    }
    if play.taken == play.steps {
        assert!(
            take(&mut consumer, None).is_none(),
            "there is nothing after the last"
        );
    }
    // The epoch is dropped and its threads are joined; a thread that never ended would be a
    // deadlock, which loom reports.
    drop(consumer);
    let mut tickets: Vec<u64> = workers
        .into_iter()
        .flat_map(|worker| worker.join().unwrap())
        .collect();
    tickets.sort_unstable();
    let all = tickets.len();
    tickets.dedup();
    assert_eq!(tickets.len(), all, "a ticket was given out twice");
    assert!(tickets.len() as u64 >= play.taken);
    assert_eq!(alive.load(Ordering::SeqCst), 0, "a batch was lost");
}

/// Every interleaving of two batches of which `taken` are taken; minutes, one test for each so that
/// they run beside each other.
fn every_interleaving(taken: u64) {
    let play = Play {
        steps: 2,
        slots: 2,
        taken,
        ends_at: None,
        patience: None,
    };
    println!("{taken} of 2 taken: {} interleavings", explore(play, None));
}

#[test]
fn every_interleaving_of_an_epoch_that_is_dropped_at_once() {
    every_interleaving(0);
}

#[test]
fn every_interleaving_of_an_epoch_that_is_dropped_half_way() {
    every_interleaving(1);
}

#[test]
fn every_interleaving_of_a_whole_epoch() {
    every_interleaving(2);
}

#[test]
fn a_slot_is_used_again() {
    for taken in 0..=4 {
        let play = Play {
            steps: 4,
            slots: 3,
            taken,
            ends_at: None,
            patience: None,
        };
        println!(
            "{taken} of 4 taken: {} interleavings",
            explore(play, Some(2))
        );
    }
}

#[test]
fn one_worker_goes_on_when_the_other_ends() {
    for ends_at in 0..2 {
        let play = Play {
            steps: 2,
            slots: 2,
            taken: 2,
            ends_at: Some(ends_at),
            patience: None,
        };
        println!("end at {ends_at}: {} interleavings", explore(play, None));
    }
}

/// A wait that was stopped loses no ticket and no batch, in a slot that is used again too.
#[test]
fn a_wait_is_stopped_and_taken_up_again() {
    for taken in 0..=3 {
        for patience in 0..2 {
            let play = Play {
                steps: 3,
                slots: 2,
                taken,
                ends_at: None,
                patience: Some(patience),
            };
            println!(
                "{taken} of 3 taken, stopped after {patience}: {} interleavings",
                explore(play, Some(2))
            );
        }
    }
}

/// Both workers end; what they did not make is `None`, not a hang.
#[test]
fn a_consumer_without_workers_gets_none() {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 100_000;
    builder.check(|| {
        let (mut consumer, producer) = slots::slots(0, 3, 2);
        let workers: Vec<_> = [producer.clone(), producer]
            .into_iter()
            .map(|producer| {
                thread::spawn(move || {
                    if let Some(step) = producer.ticket() {
                        producer.send(step, step);
                    }
                })
            })
            .collect();
        let mut taken = Vec::new();
        while let Some(step) = take(&mut consumer, None) {
            taken.push(step);
        }
        assert_eq!(taken, [0, 1], "two workers made one each");
        drop(consumer);
        for worker in workers {
            worker.join().unwrap();
        }
    });
}
