//! Ctrl-C, SIGTERM and SIGHUP.

use anyhow::Context;
use shardmill_formats::errln;
use shardmill_trainer::Stop;

/// What a shell calls the end by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Lets a signal ask the run to stop and save, and a second one end the process at once. A
/// checkpoint that is being written then is not lost: the one before is still there.
pub(super) fn listen(stop: &Stop) -> anyhow::Result<()> {
    let stop = stop.clone();
    ctrlc::set_handler(move || {
        if stop.request() {
            std::process::exit(INTERRUPTED);
        }
        errln!("stopping after this step, with a checkpoint; once more ends it at once");
    })
    .context("cannot listen to signals")
}
