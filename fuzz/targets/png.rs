//! Fuzzes PNG files.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("png"), |input: &[u8]| run("png", input));
