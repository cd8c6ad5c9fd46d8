//! How long a keeper has not answered, and when that is said and when it is an error.

use std::path::Path;
use std::time::Duration;

use shardmill_formats::console::say;

/// Silence after which the user is told what is waited for, and after which it is an error.
const SAY: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// Time for which a process has waited for an answer of the keeper, or for a keeper.
#[derive(Default)]
pub(super) struct Silence {
    now: Duration,
    sum: Duration,
    said: bool,
}

impl Silence {
    /// The keeper has answered.
    pub(super) fn end(&mut self) {
        self.now = Duration::ZERO;
        self.said = false;
    }

    /// Adds a wait that brought nothing. `holder` is the process that has the cache's lock, and `cause` what
    /// went wrong last.
    ///
    /// # Errors
    /// The silence is too long.
    pub(super) fn add(
        &mut self,
        waited: Duration,
        folder: &Path,
        holder: Option<u32>,
        cause: Option<&str>,
    ) -> Result<(), String> {
        self.now += waited;
        self.sum += waited;
        if self.now >= SAY && !self.said {
            self.said = true;
            say(&note(folder, holder));
        }
        if self.now < LONGEST {
            return Ok(());
        }
        Err(self.too_long(folder, holder, cause))
    }

    /// Seconds of all silences of this process.
    pub(super) fn seconds(&self) -> f64 {
        self.sum.as_secs_f64()
    }

    fn too_long(&self, folder: &Path, holder: Option<u32>, cause: Option<&str>) -> String {
        let cause = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
        let advice = holder.map_or_else(
            || "end it".to_owned(),
            |holder| {
                format!("if it is stopped, continue it with `kill -CONT {holder}`, or else end it")
            },
        );
        format!(
            "{}, has not answered for {} s{cause}: {advice}, or give another --cache-dir",
            keeper(folder, holder),
            self.now.as_secs()
        )
    }
}

fn note(folder: &Path, holder: Option<u32>) -> String {
    format!(
        "note: waiting for {}: it has not answered for {} s and may be stopped or very busy; after {} s this is an \
         error\n",
        keeper(folder, holder),
        SAY.as_secs(),
        LONGEST.as_secs()
    )
}

fn keeper(folder: &Path, holder: Option<u32>) -> String {
    let holder = holder.map_or_else(
        || "the process".to_owned(),
        |holder| format!("process {holder}"),
    );
    format!("{holder}, which keeps the cache {}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_said_once_and_ends_in_an_error_that_says_what_to_do() {
        let (mut silence, folder) = (Silence::default(), Path::new("/cache"));
        let second = Duration::from_secs(1);
        for wait in 1..60 {
            silence.add(second, folder, Some(7), None).unwrap();
            assert_eq!(silence.said, wait >= 5);
        }
        let error = silence.add(second, folder, Some(7), Some("no socket"));
        assert_eq!(
            error.unwrap_err(),
            "process 7, which keeps the cache /cache, has not answered for 60 s (no socket): if it is stopped, \
             continue it with `kill -CONT 7`, or else end it, or give another --cache-dir"
        );
        silence.end();
        silence.add(second, folder, None, None).unwrap();
        assert!(!silence.said);
        assert!((silence.seconds() - 61.0).abs() < 1e-9);
    }
}
