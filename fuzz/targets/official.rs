//! Fuzzes the official tars of the ILSVRC.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("official"), |input: &[u8]| run("official", input));
