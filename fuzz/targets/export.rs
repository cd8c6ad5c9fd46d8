//! Fuzzes what an export says of itself.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("export"), |input: &[u8]| run("export", input));
