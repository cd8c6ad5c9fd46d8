//! What every fuzzer's program does: look up its target, and run it within a limit of memory.

use std::alloc::System;
use std::path::Path;
use std::{env, fs, process};

use cap::Cap;
use shardmill_tests::fuzz::Target;

/// Most bytes that a parser may hold at a time. An image may have 2^20 pixels in a fuzzer; 16 bytes a pixel are what
/// the decoders of image files are allowed, and this is four times as much.
pub const MEMORY_LIMIT: usize = 64 << 20;

/// With this variable a program writes the seeds of its target into the folder that it names, and ends.
pub const SEEDS: &str = "SHARDMILL_SEEDS";

/// Memory beyond the limit is refused, which ends the program as a finding.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MEMORY_LIMIT);

/// Begins a program: writes the seeds if the variable [`SEEDS`] asks for it.
///
/// # Panics
/// If there is no such target, or if a seed cannot be written.
pub fn begin(name: &str) {
    let Some(folder) = env::var_os(SEEDS) else {
        return;
    };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).expect("the folder of seeds can be made");
    for (name, bytes) in target(name).seeds() {
        fs::write(folder.join(name), bytes).expect("a seed can be written");
    }
    process::exit(0);
}

/// Gives an input to a target.
///
/// # Panics
/// If there is no such target, or if the input is a finding.
pub fn run(name: &str, input: &[u8]) {
    target(name).run(input);
}

fn target(name: &str) -> &'static Target {
    Target::named(name).unwrap_or_else(|| panic!("shardmill_tests::fuzz has no target {name}"))
}
