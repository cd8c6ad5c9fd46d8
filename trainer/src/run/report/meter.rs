//! How fast images are consumed, and how long training waits for them.

use std::time::Duration;

/// Times since the last log line; evaluations and checkpoints are not in them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    images: usize,
    busy: Duration,
    waited: Duration,
}

impl Meter {
    /// Adds a step that took `busy` in all, of which `waited` for its images.
    pub(crate) fn add(&mut self, images: usize, busy: Duration, waited: Duration) {
        self.images += images;
        self.busy += busy;
        self.waited += waited;
    }

    pub(crate) fn images_per_second(&self) -> f64 {
        self.images as f64 / self.busy.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The share of the time that was spent waiting.
    pub(crate) fn data_wait(&self) -> f64 {
        self.waited.as_secs_f64() / self.busy.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Meter;

    #[test]
    fn counts_waiting_as_part_of_a_step() {
        let mut meter = Meter::default();
        meter.add(64, Duration::from_secs(3), Duration::from_secs(1));
        meter.add(64, Duration::from_secs(5), Duration::from_secs(1));
        assert_eq!((meter.images_per_second(), meter.data_wait()), (16.0, 0.25));
    }
}
