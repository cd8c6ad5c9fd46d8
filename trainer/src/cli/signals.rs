//! Ctrl-C, SIGTERM and SIGHUP.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use shardmill_formats::errln;

use crate::run::Stop;

/// What a shell calls the end by Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;

/// What the process's one handler knows.
struct State {
    /// Whether the handler is set.
    is_set: bool,
    /// The run that a signal stops.
    stop: Option<Stop>,
    /// What the user is told then.
    words: &'static str,
}

static STATE: Mutex<State> = Mutex::new(State {
    is_set: false,
    stop: None,
    words: "",
});

/// What is said when a training is asked to stop.
pub(super) const TRAINING: &str =
    "stopping after this step, with a checkpoint; once more ends it at once";

/// A run listens to signals while it holds this.
#[must_use]
pub(super) struct Listening;

impl Drop for Listening {
    fn drop(&mut self) {
        state().stop = None;
    }
}

/// Lets a signal ask the run to stop and save, which is confirmed in `words`, if there are any, and a second one end
/// the process at once. A checkpoint that is being written then is not lost: the one before is still there.
///
/// The handler stays set afterwards, and then ends the process without a word.
pub(super) fn listen(stop: &Stop, words: &'static str) -> anyhow::Result<Listening> {
    let mut state = state();
    if !state.is_set {
        ctrlc::set_handler(handle).context("cannot listen to signals")?;
        state.is_set = true;
    }
    state.stop = Some(stop.clone());
    state.words = words;
    Ok(Listening)
}

fn handle() {
    let (stop, words) = {
        let state = state();
        (state.stop.clone(), state.words)
    };
    if stop.is_none_or(|stop| stop.request()) {
        std::process::exit(INTERRUPTED.into());
    }
    if !words.is_empty() {
        errln!("{words}");
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_of_the_process_listens_too() {
        for _ in 0..2 {
            let stop = Stop::default();
            let listening = listen(&stop, TRAINING).unwrap();
            assert!(state().stop.is_some());
            drop(listening);
            assert!(state().stop.is_none());
        }
    }
}
