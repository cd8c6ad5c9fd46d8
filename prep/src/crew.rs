//! Parallel work whose results come in order.

use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::PrepError;

/// Items worked on for each thread between two hand-overs: with two hand-overs under way this
/// bounds memory at some tens of megabytes, whatever the size of the data.
const CHUNK_PER_THREAD: usize = 16;

/// Threads, and the memory `W` that each works in.
pub(crate) struct Crew<W> {
    pool: ThreadPool,
    idle: Mutex<Vec<W>>,
}

impl<W: Send> Crew<W> {
    /// A crew of `threads`, one for each core if 0.
    pub(crate) fn new(threads: usize) -> Result<Self, PrepError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| PrepError::Threads {
                threads,
                message: error.to_string(),
            })?;
        Ok(Self {
            pool,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Does `work` on each item, in parallel, and gives the results to `take`, one after the
    /// other in the order of the items. `make` makes the memory of a thread.
    pub(crate) fn in_order<I: Sync, T: Send>(
        &self,
        items: &[I],
        make: impl Fn() -> Result<W, PrepError> + Sync,
        work: impl Fn(&mut W, &I) -> Result<T, PrepError> + Sync,
        mut take: impl FnMut(T) -> Result<(), PrepError> + Send,
    ) -> Result<(), PrepError> {
        let one = |item: &I| {
            let idle = self.idle().pop();
            let mut memory = idle.map_or_else(&make, Ok)?;
            let result = work(&mut memory, item)?;
            self.idle().push(memory);
            Ok(result)
        };
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<Vec<T>>(1);
            let taker = scope.spawn(move || receiver.into_iter().flatten().try_for_each(&mut take));
            let mut worked = Ok(());
            for chunk in items.chunks(CHUNK_PER_THREAD * self.pool.current_num_threads()) {
                let results = self.pool.install(|| {
                    chunk
                        .par_iter()
                        .map(one)
                        .collect::<Result<Vec<_>, PrepError>>()
                });
                match results {
                    Ok(results) => {
                        // Without a listener the taker has failed: its error is the cause.
                        if sender.send(results).is_err() {
                            break;
                        }
                    }
                    Err(error) => {
                        worked = Err(error);
                        break;
                    }
                }
            }
            drop(sender);
            let taken = taker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            taken.and(worked)
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<W>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
