//! Fuzzes GIF files.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("gif"), |input: &[u8]| run("gif", input));
