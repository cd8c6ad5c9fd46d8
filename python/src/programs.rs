//! The programs `prep` and `loader` with their command lines, for the console script `shardmill`.

use std::ffi::OsString;
use std::panic::catch_unwind;

use pyo3::prelude::*;

/// The exit code of a Rust program that panicked; the panic's message has been printed by then.
const PANICKED: u8 = 101;

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(prep, m)?)?;
    m.add_function(wrap_pyfunction!(loader, m)?)
}

/// Runs `prep` with these arguments and returns its exit code. It prints to the process's own standard output and
/// standard error, and takes over SIGINT, SIGTERM and SIGHUP while it writes and afterwards: use it only in a process
/// that does nothing else.
#[pyfunction]
fn prep(py: Python<'_>, argv: Vec<OsString>) -> PyResult<u8> {
    run(py, argv, |argv| {
        shardmill_prep::run_command_line("shardmill prep", argv)
    })
}

/// Runs `loader` with these arguments and returns its exit code. It prints to the process's own standard output
/// and standard error.
#[pyfunction]
fn loader(py: Python<'_>, argv: Vec<OsString>) -> PyResult<u8> {
    run(py, argv, |argv| {
        shardmill_loader::run_command_line("shardmill loader", argv)
    })
}

/// Runs a program without the GIL, after flushing Python's output.
fn run(py: Python<'_>, argv: Vec<OsString>, program: fn(Vec<OsString>) -> u8) -> PyResult<u8> {
    for name in ["stdout", "stderr"] {
        let stream = py.import("sys")?.getattr(name)?;
        // Python has no such stream if the process was started without it.
        if !stream.is_none() {
            stream.call_method0("flush")?;
        }
    }
    Ok(py.detach(|| catch_unwind(move || program(argv)).unwrap_or(PANICKED)))
}
