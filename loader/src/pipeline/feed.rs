//! The caches that bring an epoch's shards from object stores.

use std::sync::{Mutex, PoisonError};

use shardmill_store::Session;

use crate::data::CachedSplit;

/// The shards of an epoch that come through caches, by the datasets of the mix. Those of a folder have none.
pub(crate) struct Feed {
    parts: Vec<Option<CachedSplit>>,
}

/// The sessions of a loader's caches between its epochs: a cache knows what the next epoch needs.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Vec<(usize, Session)>>);

impl Feed {
    pub(crate) const fn new(parts: Vec<Option<CachedSplit>>) -> Self {
        Self { parts }
    }

    /// The cached shards of a dataset of the mix; `None` if it is in a folder.
    pub(crate) fn part(&self, part: usize) -> Option<&CachedSplit> {
        self.parts[part].as_ref()
    }

    /// Whether this process may use it: a forked child has to begin an epoch of its own.
    pub(crate) fn is_here(&self) -> bool {
        self.parts.iter().flatten().all(CachedSplit::is_here)
    }

    /// Says that everything before a place of the epoch's order is done.
    pub(crate) fn advance(&self, place: u64) {
        for part in self.parts.iter().flatten() {
            part.advance(place);
        }
    }

    /// Ends the epoch, and keeps what the next one can use.
    pub(crate) fn end(self, sessions: &Sessions) {
        for (part, cached) in self.parts.into_iter().enumerate() {
            if let Some(session) = cached.and_then(CachedSplit::end) {
                sessions.keep(part, session);
            }
        }
    }
}

impl Sessions {
    pub(crate) fn take(&self, part: usize) -> Option<Session> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|(_, session)| session.is_here());
        let at = sessions.iter().position(|(of, _)| *of == part)?;
        Some(sessions.swap_remove(at).1)
    }

    fn keep(&self, part: usize, session: Session) {
        let sessions = self.0.lock();
        sessions
            .unwrap_or_else(PoisonError::into_inner)
            .push((part, session));
    }
}
