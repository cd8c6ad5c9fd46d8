//! The memory that all threads' decoders may take together.

use std::fs;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// What is taken for all decoders if the system does not say what is free.
const FALLBACK: u64 = 1 << 30;

/// Memory for decoding, shared by the decoders of all threads.
///
/// A decoder takes an image's share, estimated from its header, before it decodes, and gives it back when
/// the record is made. An image that is larger than the whole budget waits until no other has a share, and
/// none gets one beside it: nothing is refused. Small images take none, so that they cost no lock.
///
/// It cannot deadlock. A share is held within one call of `ImageDecoder::decode`, which takes no second
/// one, waits for nothing else, and gives it back however it ends; so a thread that holds one
/// continues, and one that waits is woken when it ends, and at the latest gets its turn when no thread holds
/// any. That the pool's
/// results come in plan order changes nothing about it: a thread hands its result on after the share is given
/// back, and there is room for it, since no more tickets are out than the channel holds. Nor can an image
/// wait for ever while others pass it by: the pool hands out no tickets beyond a window that begins at
/// the oldest image under way, so that others run out of work until it has had its turn.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    bytes: u64,
    /// Up to this much an image takes no share.
    free: u64,
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// An image's part of a [`Budget`], given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    of: &'a Shared,
    bytes: u64,
}

impl Budget {
    /// No limit.
    pub(crate) const UNLIMITED: Self = Self(None);

    /// A budget of so many bytes for this number of threads.
    pub(crate) fn new(bytes: u64, threads: usize) -> Self {
        Self(Some(Arc::new(Shared {
            bytes,
            free: bytes / threads.max(1) as u64 / 64,
            taken: Mutex::new(0),
            given_back: Condvar::new(),
        })))
    }

    /// A budget of `bytes`, or of a share of what is free if `None`, for this number of threads.
    pub(crate) fn for_threads(bytes: Option<u64>, threads: usize) -> Self {
        Self::new(bytes.unwrap_or_else(default_budget), threads)
    }

    /// Takes a share of so many bytes, and waits for it if need be; `None` for so few that they are not
    /// counted, or if there is no limit.
    pub(super) fn take(&self, bytes: u64) -> Option<Share<'_>> {
        let of = self.0.as_deref().filter(|shared| bytes > shared.free)?;
        let taken = of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut u64| *taken > 0 && taken.saturating_add(bytes) > of.bytes;
        let taken = of.given_back.wait_while(taken, full);
        *taken.unwrap_or_else(PoisonError::into_inner) += bytes;
        Some(Share { of, bytes })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken -= self.bytes;
        drop(taken);
        self.of.given_back.notify_all();
    }
}

/// A quarter of the memory that is free on this system, for the process if it is limited.
fn default_budget() -> u64 {
    let read = |path: &str| fs::read_to_string(path).ok();
    let system = read("/proc/meminfo").and_then(|text| available(&text));
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let limit = number("/sys/fs/cgroup/memory.max");
    let used = number("/sys/fs/cgroup/memory.current").unwrap_or(0);
    let group = limit.map(|limit| limit.saturating_sub(used));
    let free = system.into_iter().chain(group).min();
    free.map_or(FALLBACK, |free| free / 4)
}

/// Bytes available, of the text of `/proc/meminfo`.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::thread;

    use super::*;

    #[test]
    fn small_images_take_nothing_and_no_limit_is_no_limit() {
        let budget = Budget::new(6400, 10);
        assert!(budget.take(10).is_none());
        assert!(budget.take(11).is_some());
        assert!(Budget::UNLIMITED.take(u64::MAX).is_none());
    }

    #[test]
    fn threads_never_hold_more_than_the_budget_and_giants_run_alone() {
        let budget = Budget::new(1000, 4);
        let (held, holders) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for i in 0..16 {
                let (budget, held, holders) = (budget.clone(), &held, &holders);
                scope.spawn(move || {
                    for turn in 0..100 {
                        let bytes = [100, 400, 900, 5000][(i + turn) % 4];
                        let share = budget.take(bytes);
                        assert!(share.is_some());
                        let all = held.fetch_add(bytes, SeqCst) + bytes;
                        let alone = holders.fetch_add(1, SeqCst) == 0;
                        assert!(all <= 1000 || (alone && bytes == 5000), "{all}");
                        thread::yield_now();
                        holders.fetch_sub(1, SeqCst);
                        held.fetch_sub(bytes, SeqCst);
                        drop(share);
                    }
                });
            }
        });
    }

    #[test]
    fn a_share_is_given_back_by_a_decoder_that_panics() {
        let budget = Budget::new(1000, 1);
        let panicked = super::super::guard::guarded(|| {
            let _share = budget.take(5000);
            panic!("a fault");
        });
        assert!(panicked.is_err());
        assert!(budget.take(5000).is_some());
    }

    #[test]
    fn what_is_free_is_read_from_the_system() {
        let text = "MemTotal:  100 kB\nMemFree:  7 kB\nMemAvailable:   20 kB\n";
        assert_eq!(available(text), Some(20 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert!(default_budget() > 0);
    }
}
