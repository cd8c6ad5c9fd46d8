//! Time that passes while this process runs.

use std::time::{Duration, Instant};

/// Longest time that counts between two readings: a process that was stopped, as by Ctrl-Z, has not waited.
const STEP: Duration = Duration::from_secs(2);

/// A clock that stands while its process is stopped. It has to be read more often than every two seconds.
pub(super) struct Awake {
    last: Instant,
    passed: Duration,
}

impl Awake {
    pub(super) fn new() -> Self {
        Self {
            last: Instant::now(),
            passed: Duration::ZERO,
        }
    }

    /// The time since the last reading.
    pub(super) fn step(&mut self) -> Duration {
        let now = Instant::now();
        let step = now.duration_since(self.last).min(STEP);
        self.last = now;
        self.passed += step;
        step
    }

    /// The time since the clock was made.
    pub(super) fn passed(&mut self) -> Duration {
        self.step();
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_the_process_counts_two_seconds() {
        let mut clock = Awake::new();
        clock.last -= Duration::from_secs(100);
        let passed = clock.passed();
        assert!(passed >= STEP && passed < STEP * 2, "{passed:?}");
        std::thread::sleep(Duration::from_millis(20));
        assert!(clock.step() >= Duration::from_millis(20));
    }
}
