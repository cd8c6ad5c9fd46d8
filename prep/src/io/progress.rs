//! Progress of long work: a bar on a terminal, a plain line now and then in a log.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use shardmill_formats::errln;

use crate::error::PrepError;
use crate::observe::Observer;

/// Time between two lines in a log.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Counts finished items, reports them to the observer and may show them on standard error.
pub(crate) struct Progress {
    work: &'static str,
    total: u64,
    /// Whether the total is known.
    bounded: bool,
    done: AtomicU64,
    start: Instant,
    shown: Shown,
    observer: Observer,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines(Mutex<Instant>),
}

impl Progress {
    pub(crate) fn new(work: &'static str, total: u64, show: bool, observer: &Observer) -> Self {
        let start = Instant::now();
        let shown = if !show {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template(
                "{msg} [{wide_bar}] {human_pos}/{human_len}  {per_sec}  ETA {eta}",
            )
            .expect("the template is valid");
            Shown::Bar(ProgressBar::new(total).with_style(style).with_message(work))
        } else {
            Shown::Lines(Mutex::new(start))
        };
        observer.progress(work, 0, Some(total));
        Self {
            work,
            total,
            bounded: true,
            done: AtomicU64::new(0),
            start,
            shown,
            observer: observer.clone(),
        }
    }

    /// Progress of work without a known total, which goes to the observer alone.
    pub(crate) const fn unbounded(work: &'static str, start: Instant, observer: Observer) -> Self {
        Self {
            work,
            total: 0,
            bounded: false,
            done: AtomicU64::new(0),
            start,
            shown: Shown::Nothing,
            observer,
        }
    }

    /// Fails if the observer stops the work.
    pub(crate) fn check(&self) -> Result<(), PrepError> {
        self.observer.check()
    }

    pub(crate) fn add(&self, count: u64) {
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        let total = self.bounded.then_some(self.total);
        self.observer.progress(self.work, done, total);
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_position(done),
            Shown::Lines(last) => {
                let mut last = last
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    let rate = done as f64 / self.start.elapsed().as_secs_f64();
                    let left = self.total.saturating_sub(done) as f64 / rate;
                    errln!(
                        "{}: {done}/{}, {rate:.0} a second, {left:.0} s to go",
                        self.work,
                        self.total
                    );
                }
            }
        }
    }

    pub(crate) fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
