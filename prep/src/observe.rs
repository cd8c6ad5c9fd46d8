//! How a calling program follows long work and stops it.

use std::fmt;
use std::sync::Arc;

use crate::error::PrepError;

/// Receives the progress of long work, and can stop it.
///
/// Both methods are called often, for every record or every file that is listed, from any thread and from
/// several at once. They should do no more than write or read an atomic, and leave display to another thread.
pub trait Observe: Send + Sync {
    /// `done` of `total` items of `work` are finished. `work` is `list`, `read tars`, `unpack`, `ingest`, `verify`,
    /// `convert`, `subset` or `export`, one after another; `total` is `None` while it is unknown. Calls from
    /// several threads may overtake each other, so the largest `done` of a `work` is the latest.
    fn progress(&self, work: &'static str, done: u64, total: Option<u64>);

    /// Whether to stop. The work then ends with [`PrepError::Stopped`] as soon as the images under way are
    /// decoded; finished shards and files are kept.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// An optional [`Observe`]; none by default.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Observe>>);

impl Observer {
    /// Reports to `observe`; keep a clone of the `Arc` to read it.
    pub fn new<O: Observe + 'static>(observe: Arc<O>) -> Self {
        Self(Some(observe))
    }

    /// Whether there is an observer.
    pub(crate) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn progress(&self, work: &'static str, done: u64, total: Option<u64>) {
        if let Some(observe) = &self.0 {
            observe.progress(work, done, total);
        }
    }

    /// Fails if the observer stops the work.
    pub(crate) fn check(&self) -> Result<(), PrepError> {
        match self.0.as_ref().is_some_and(|it| it.is_cancelled()) {
            true => Err(PrepError::Stopped),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Observer(..)",
            None => "Observer(none)",
        })
    }
}
