//! The bandwidth of this machine's memory, to compare a loader with.
//!
//! Contract: the one unsafe call here needs AVX2, for which the processor was checked.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::instructions::Instructions;
use crate::pages::Pages;

/// Bytes of memory of each thread: more than its share of any cache, less than a batch.
const BYTES: usize = 64 << 20;
/// Rounds of each kind; the result is their median.
const ROUNDS: usize = 5;

/// The bandwidth of memory, measured on the threads and the kind of pages that a loader uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryLimits {
    /// Bytes per second that all threads copy; each byte is read and written.
    pub copy: f64,
    /// Bytes per second that all threads write without reading: the better of ordinary stores and
    /// stores around the caches.
    pub store: f64,
}

impl MemoryLimits {
    /// Measures for about a tenth of a second, in 64 MiB for each thread.
    ///
    /// # Errors
    /// The system has no memory for it.
    ///
    /// # Panics
    /// If `threads` is 0.
    pub fn measure(threads: usize) -> std::io::Result<Self> {
        assert!(threads > 0, "memory is measured on at least one thread");
        let mut rooms = Vec::new();
        for _ in 0..threads {
            let mut room = Pages::default();
            room.resize(BYTES)?;
            room.values_mut::<u8>().fill(1);
            rooms.push(room);
        }
        let copy = rate(&mut rooms, |room| {
            let (from, to) = room.split_at_mut(BYTES / 2);
            to.copy_from_slice(from);
        });
        let plain = rate(&mut rooms, |room| room.fill(2));
        let around = rate(&mut rooms, store_around_caches);
        Ok(Self {
            // Half of the memory is copied.
            copy: copy / 2.0,
            store: plain.max(around),
        })
    }
}

/// Fills memory with threes, around the caches where the processor can: the stores that
/// [`MemoryLimits::measure`] measures.
pub fn store_around_caches(to: &mut [u8]) {
    match Instructions::detect() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX2.
        Instructions::Avx2 => unsafe { crate::avx2::fill(to) },
        Instructions::Portable => to.fill(3),
    }
}

/// The median rate at which all threads do `work` on their memory. A round lasts from the time when the
/// first thread begins to the time when the last one ends.
fn rate(rooms: &mut [Pages], work: impl Fn(&mut [u8]) + Sync) -> f64 {
    let (threads, work) = (rooms.len(), &work);
    let arrived = &AtomicUsize::new(0);
    let spans: Vec<Vec<(Instant, Instant)>> = std::thread::scope(|scope| {
        let begin = |room: &mut Pages| {
            let round = |round| {
                // Threads that sleep at a barrier wake up on one processor, so these stay awake.
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < (round + 1) * threads {
                    std::thread::yield_now();
                }
                let start = Instant::now();
                work(std::hint::black_box(room.values_mut()));
                (start, Instant::now())
            };
            (0..ROUNDS).map(round).collect()
        };
        let running: Vec<_> = rooms
            .iter_mut()
            .map(|room| scope.spawn(move || begin(room)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("the work does not panic"))
            .collect()
    });
    let seconds = |round: usize| {
        let start = spans.iter().map(|of| of[round].0).min();
        let end = spans.iter().map(|of| of[round].1).max();
        end.zip(start)
            .map_or(0.0, |(end, start)| (end - start).as_secs_f64())
    };
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|round| (threads * BYTES) as f64 / seconds(round))
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[ROUNDS / 2]
}
