//! Fuzzes the JPEG decoder by itself.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("decoder"), |input: &[u8]| run("decoder", input));
