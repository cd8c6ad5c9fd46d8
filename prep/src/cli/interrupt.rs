//! Ctrl-C, SIGTERM and SIGHUP.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{PrepError, unfinished};
use anyhow::{Context, Result};
use shardmill_formats::errln;

/// The exit code that shells use for Ctrl-C.
const INTERRUPTED: i32 = 130;

/// The state of the process's one signal handler.
struct State {
    /// Whether the handler is set.
    is_set: bool,
    /// The output folder of the running command.
    out: Option<PathBuf>,
}

static STATE: Mutex<State> = Mutex::new(State {
    is_set: false,
    out: None,
});

/// A command handles signals while it holds this.
#[must_use]
pub(super) struct Listening;

impl Drop for Listening {
    fn drop(&mut self) {
        state().out = None;
    }
}

/// Lets a signal end the process after a message about the work in `out`. Nothing is cleaned up: the folder is as
/// good as after a loss of power, and the next run resumes from it.
///
/// The handler stays installed afterwards, and then ends the process silently.
pub(super) fn listen(out: &Path) -> Result<Listening> {
    if are_ignored() {
        return Ok(Listening);
    }
    let mut state = state();
    if !state.is_set {
        ctrlc::set_handler(end).context("cannot listen to signals")?;
        state.is_set = true;
    }
    state.out = Some(out.to_owned());
    Ok(Listening)
}

fn end() {
    let out = state().out.clone();
    if let Some(out) = out {
        if shardmill_store::address(&out).is_some() {
            // Asking the store could take longer than a person waits.
            errln!(
                "\ninterrupted: shards that were uploaded are kept in {}, and the same command resumes it",
                out.display()
            );
            std::process::exit(INTERRUPTED);
        }
        match unfinished(&out) {
            Some(_) => errln!(
                "\ninterrupted: what is finished is kept in {}, and the same command resumes it",
                out.display()
            ),
            None => errln!("\ninterrupted before anything was made; the same command starts over"),
        }
    }
    std::process::exit(INTERRUPTED);
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds how to resume to the error of a command that left unfinished work in `out`.
pub(super) fn explain(out: &Path) -> impl FnOnce(PrepError) -> anyhow::Error {
    move |error| {
        // Then the folder holds another command's work.
        let is_foreign = matches!(
            error,
            PrepError::OtherWork { .. }
                | PrepError::OtherResult { .. }
                | PrepError::OutputInUse(_)
                | PrepError::NotOurs(_)
        );
        let error = anyhow::Error::from(error);
        match unfinished(out).filter(|_| !is_foreign) {
            Some(work) => error.context(format!(
                "the {work} stopped; what is finished is kept, and the same command resumes it"
            )),
            None => error,
        }
    }
}

/// Whether the process was started to ignore signals of the terminal: by `nohup`, or `&` in a script.
fn are_ignored() -> bool {
    const HANGUP_AND_INTERRUPT: u64 = 0b11;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & HANGUP_AND_INTERRUPT != 0)
}
