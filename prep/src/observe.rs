//! How a program that calls this crate follows long work and stops it.

use std::fmt;
use std::sync::Arc;

use crate::error::PrepError;

/// What a program that calls this crate is told of long work, and how it stops that.
///
/// Both are called often, for every record or every file that is listed, from any thread and from several at
/// once, so they should do no more than write or read an atomic: a thread of the program's own shows it.
pub trait Observe: Send + Sync {
    /// `done` of `total` items are done of `work`: `list`, `read tars`, `unpack`, `ingest`, `verify`, `convert`,
    /// `subset` or `export`. One follows the other; `total` is `None` while nobody knows it. Calls from several
    /// threads may overtake each other, so the largest `done` of a `work` is the last.
    fn progress(&self, work: &'static str, done: u64, total: Option<u64>);

    /// Whether the work is to stop. It then ends with [`PrepError::Stopped`] as soon as the images under way are
    /// decoded: what an ingest, a conversion, a subset or an export has finished is kept.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// An [`Observe`] or nobody, which is the default.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Observe>>);

impl Observer {
    /// Tells `observe`; keep a clone of the `Arc` to look at it.
    pub fn new<O: Observe + 'static>(observe: Arc<O>) -> Self {
        Self(Some(observe))
    }

    /// Whether anybody observes.
    pub(crate) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn progress(&self, work: &'static str, done: u64, total: Option<u64>) {
        if let Some(observe) = &self.0 {
            observe.progress(work, done, total);
        }
    }

    /// Fails if the work is to stop.
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
            None => "Observer(nobody)",
        })
    }
}
