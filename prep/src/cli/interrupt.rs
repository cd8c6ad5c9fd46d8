//! Ctrl-C, SIGTERM and SIGHUP.

use std::path::Path;

use anyhow::{Context, Result};
use shardmill_formats::errln;
use shardmill_prep::{PrepError, unfinished};

/// What a shell calls the end by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Lets a signal end the process after saying what becomes of the work in `out`. Nothing is tidied up: what
/// is there is as good as after a loss of power, and the next run goes on from it.
pub(super) fn listen(out: &Path) -> Result<()> {
    if are_ignored() {
        return Ok(());
    }
    let out = out.to_owned();
    ctrlc::set_handler(move || {
        match unfinished(&out) {
            Some(_) => errln!(
                "\ninterrupted: what is finished is kept in {}, and the same command goes on from there",
                out.display()
            ),
            None => errln!("\ninterrupted before anything was made; the same command begins again"),
        }
        std::process::exit(INTERRUPTED);
    })
    .context("cannot listen to signals")
}

/// Adds how to go on to the error of a command that left unfinished work in `out`.
pub(super) fn explain(out: &Path) -> impl FnOnce(PrepError) -> anyhow::Error {
    move |error| {
        // What is in the folder then is not this command's.
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
                "the {work} stopped; what is finished is kept, and the same command goes on from it"
            )),
            None => error,
        }
    }
}

/// Whether whoever started the process wants it to go on whatever the terminal does: `nohup`, or `&` in a
/// script.
fn are_ignored() -> bool {
    const HANGUP_AND_INTERRUPT: u64 = 0b11;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & HANGUP_AND_INTERRUPT != 0)
}
