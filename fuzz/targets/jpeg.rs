//! Fuzzes JPEG files.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("jpeg"), |input: &[u8]| run("jpeg", input));
