//! Fuzzes the development kit of the ILSVRC.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("devkit"), |input: &[u8]| run("devkit", input));
